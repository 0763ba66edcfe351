"""The doors of programs: the same cache as a gateway's, in an app, in a client, or by hand. `gateway` names them."""
