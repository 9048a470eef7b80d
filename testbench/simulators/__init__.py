"""What runs the C++, the RTL and the netlists."""
