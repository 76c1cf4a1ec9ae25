"""Systems put together, placed and drawn by the science's own functions, in a child process: never in the API's own."""
