package store

// An Expect is what a writer knows of the documents that it is about to change. "" stands for anything.
type Expect struct {
	// UID and ResourceVersion are those of the document itself; another one is ErrExpectation.
	UID, ResourceVersion string
	// ApplicationUID is that of the application that the writer may change: the document itself, or the one that the
	// device belongs to. If there is another one of that name by now, it is as if there were none.
	ApplicationUID string
}

func (e *Expect) check(r *row) error {
	if (e.UID != "" && e.UID != r.uid) || (e.ResourceVersion != "" && e.ResourceVersion != r.resourceVersion) {
		return ErrExpectation
	}
	return nil
}

// checkApplication is for a document that is an application.
func (e *Expect) checkApplication(r *row) error {
	if e.ApplicationUID != "" && e.ApplicationUID != r.uid {
		return errNoApplication
	}
	return e.check(r)
}
