"""What Lambda runs: one deployment package a folder."""
