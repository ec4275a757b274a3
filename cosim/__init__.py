"""cosim: hardware simulation and co-design of neural networks and the machines that run them."""
