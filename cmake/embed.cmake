# Shipped Lua is part of the binary. Filled when the script layer can read it.
