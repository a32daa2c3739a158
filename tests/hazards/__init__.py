"""What programs do that a careless observer would break, as targets and as bystanders."""
