"""Training on a machine with a GPU and without a network: a parcel goes there, results return."""
