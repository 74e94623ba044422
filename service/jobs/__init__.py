"""Jobs: certificates that outlive the request that asked for them, and the processes too."""
