package registry

// A ChangeKind tells applications and devices apart in a Change.
type ChangeKind string

// The kinds of changed resources.
const (
	ApplicationChanged ChangeKind = "application"
	DeviceChanged      ChangeKind = "device"
)

// Paths of a Change that are not those of sections.
const (
	EverythingChanged = "."
	MetadataChanged   = ".metadata"
)

// A Change says that a document was created, updated or deleted. It names what may be cached of it, and nothing of
// its content. Stores make changes, caches and sessions act on them.
type Change struct {
	Kind        ChangeKind `json:"kind"`
	Application string     `json:"application"`      // registry name
	Device      string     `json:"device,omitempty"` // registry name, for DeviceChanged
	UID         string     `json:"uid"`
	Revision    uint64     `json:"revision"` // of the document after the change
	Deleted     bool       `json:"deleted,omitempty"`
	// Aliases are all names, old and new, by which the resource was or is found, its own name included.
	Aliases []string `json:"aliases"`
	// Paths are the parts that changed: EverythingChanged for a document that was created or removed, MetadataChanged for
	// labels, annotations, finalizers and the mark of a deletion, ".spec.<section>" and ".status.<section>". A Change
	// without paths is one of everything.
	Paths []string `json:"paths,omitempty"`
}
