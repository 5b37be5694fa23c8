"""How each Pulumi resource type is created through boto3, a module per service; `registry.py` puts them together."""
