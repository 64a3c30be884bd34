px_wrap(server_test_config_memory malloc calloc realloc)
