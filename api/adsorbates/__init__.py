"""The adsorbates that have names."""
