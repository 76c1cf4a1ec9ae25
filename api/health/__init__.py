"""Whether the process lives, and whether a job submitted now would be worked on."""
