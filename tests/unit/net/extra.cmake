# test_nomem decides which allocation of ours fails.
if(TARGET net_test_nomem)
    target_link_options(net_test_nomem PRIVATE
        -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc)
endif()
