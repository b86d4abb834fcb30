package probe

import (
	"errors"
	"net"
)

// isDialError says whether err happened before there was a connection.
func isDialError(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}
