"""Simulated years of trouble, and who would have failed over: our rules beside what people build today."""
