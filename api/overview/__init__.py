"""All candidates of a job at once, without their geometries."""
