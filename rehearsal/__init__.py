"""The rehearsal: the whole system on an embedded AWS, deployed by the unchanged program and failed over in drills."""
