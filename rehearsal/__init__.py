"""The rehearsal: the unchanged program deployed to an embedded AWS, and failed over in drills.

Layers, highest first; a layer imports only layers below it:
`__main__` > `run`, `sandbox` > `console` > `drills` > `report` > `environment` > `workload`, `gc_freeze`, `engine` > `provider` >
`cloud` > `network` > `aurora` > `support`.
"""
