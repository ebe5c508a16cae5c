package load

// role is what a connection of Mixed does.
type role byte

const (
	roleMember  role = iota // stays in the room; the first one of them broadcasts
	roleEcho                // pushes in a room of its own
	roleRoamer              // joins and leaves, the room and one of its own in turn
	roleDropper             // is dropped, and comes again
	roleDeaf                // joins the room and reads nothing
)

// role returns what a connection does: of ten, three stay, four echo, two roam and
// one is dropped.
func (c *Config) role(conn int) role {
	if c.isDeaf(conn) {
		return roleDeaf
	}
	return [...]role{
		roleMember, roleEcho, roleRoamer, roleEcho, roleMember,
		roleEcho, roleRoamer, roleEcho, roleMember, roleDropper,
	}[conn%minMixed]
}
