package authfn

import (
	"context"
	"errors"
	"net/http"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/user"
)

// maxUserQuestion bounds a question about a user, in bytes.
const maxUserQuestion = 4 << 10

// Users knows the access tokens of users, and what applications are theirs. *accounts.Accounts does.
type Users interface {
	user.TokenFinder
	// Access says to whom an application belongs; the zero value is one that does not exist.
	Access(ctx context.Context, application string) (user.Access, error)
}

// AnswerAbout answers questions about users, too: those of user.Client. It is for before the first request.
func (h *Handler) AnswerAbout(users Users) {
	h.mux.HandleFunc("POST "+user.PathToken, func(w http.ResponseWriter, r *http.Request) {
		answerUser(h, w, r, func(ctx context.Context, q user.TokenQuestion) (user.TokenAnswer, error) {
			t, err := users.FindToken(ctx, q.Hash)
			if err != nil {
				return user.TokenAnswer{}, err
			}
			return user.TokenAnswer{UserID: t.UserID, UserName: t.UserName, Expires: t.Expires, Scope: t.Scope}, nil
		})
	})
	h.mux.HandleFunc("POST "+user.PathAccess, func(w http.ResponseWriter, r *http.Request) {
		answerUser(h, w, r, func(ctx context.Context, q user.AccessQuestion) (user.AccessAnswer, error) {
			access, err := users.Access(ctx, q.Application)
			if err == nil && access.Application == "" {
				err = registry.ErrNotFound
			}
			return user.AccessAnswer{Owner: access.Owner, Members: access.Members}, err
		})
	})
}

// answerUser reads a question about a user, and writes the answer.
func answerUser[Q, A any](h *Handler, w http.ResponseWriter, r *http.Request, find func(context.Context, Q) (A, error)) {
	var question Q
	if !read(w, r, maxUserQuestion, &question) {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), h.config.Timeout)
	defer cancel()
	answer, err := find(ctx, question)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		outcome.WriteDocument(w, http.StatusNotFound, outcome.Document{Error: "NotFound", Message: "Not found"})
	case err != nil:
		undecided(w, err)
	default:
		write(w, answer)
	}
}
