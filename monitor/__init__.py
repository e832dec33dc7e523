"""ProductSet the stack instances of AWS Service Catalog products that are deployed as CloudFormation StackSets."""

__version__ = "0.1.0"
