"""References that jobs share: what they are, why one failed, and trying it again."""
