"""The Pulumi resource types of the program, created through boto3; one module a service, joined in `registry.py`."""
