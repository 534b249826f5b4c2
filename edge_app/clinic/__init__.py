"""The box in the clinic: radiographs in over the network or a folder, answers out, none lost."""
