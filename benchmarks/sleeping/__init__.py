"""A stand-in for a device: a cheap landscape whose forwards take a stated time asleep, for the workers of a benchmark."""
