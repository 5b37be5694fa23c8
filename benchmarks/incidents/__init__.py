"""Public incidents, replayed on the real decision of the controller."""
