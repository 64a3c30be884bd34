#include "px/server.h"

int main(int argc, char **argv)
{
    return px_server_main(argc, argv);
}
