#pragma once

/// The whole program: parses the command line and runs the command. Gives the exit code.
int px_server_main(int argc, char **argv);
