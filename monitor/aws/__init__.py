"""AWS Service Catalog: the only room that knows boto3. No raw AWS dict and no AWS error leaves it."""
