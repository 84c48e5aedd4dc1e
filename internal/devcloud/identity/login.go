package identity

import (
	"html/template"
	"net/http"
	"net/url"
)

// Paths of the pages.
const (
	loginPath  = "/login"
	devicePath = "/device"
)

// page is every page: a form, and what there is to say.
var page = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Fairlead on this machine</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:22rem;margin:4rem auto;padding:0 1rem}
label,input,button{display:block;width:100%;box-sizing:border-box}input,button{font:inherit;padding:.5rem;margin:.25rem 0 1rem}
.said{color:#a00}</style>
<h1>Fairlead on this machine</h1>
{{with .Said}}<p class="said" role="alert">{{.}}</p>{{end}}
{{if .Done}}<p>You are logged in. This window may be closed.</p>{{else}}
<form method="post" action="{{.Action}}">
{{if .ID}}<input type="hidden" name="id" value="{{.ID}}">{{end}}
{{if .WantsCode}}<label>Code that the program shows<input name="user_code" value="{{.Code}}" autocomplete="off" required></label>{{end}}
<label>User<input name="username" value="{{.User}}" autocomplete="username" required></label>
<label>Password, as fairlead dev has printed it<input name="password" type="password" autocomplete="current-password" required autofocus></label>
<button>Log in</button></form>{{end}}</html>`))

// A view is what a page shows.
type view struct {
	Action, ID, Code, User, Said string
	WantsCode, Done              bool
}

// pages are where the user logs in.
type pages struct {
	storage  *storage
	callback string
}

func (p *pages) register(mux *http.ServeMux) {
	mux.HandleFunc("GET "+loginPath, p.showLogin)
	mux.HandleFunc("POST "+loginPath, p.login)
	mux.HandleFunc("GET "+devicePath, p.showDevice)
	mux.HandleFunc("POST "+devicePath, p.device)
}

func (p *pages) showLogin(w http.ResponseWriter, r *http.Request) {
	p.show(w, http.StatusOK, view{Action: loginPath, ID: r.FormValue("id")})
}

// login ends a log-in of a browser, which goes back to the program that asked.
func (p *pages) login(w http.ResponseWriter, r *http.Request) {
	id := r.PostFormValue("id")
	begun, ok := p.storage.requests.Get(id)
	switch {
	case !ok:
		p.show(w, http.StatusBadRequest, view{Action: loginPath, Said: "This log-in is over. Begin again in the program."})
	case !p.storage.isUser(r.PostFormValue("username"), r.PostFormValue("password")):
		p.show(w, http.StatusForbidden, view{Action: loginPath, ID: id, Said: "User or password is wrong."})
	default:
		begun.finish()
		http.Redirect(w, r, p.callback+"?id="+url.QueryEscape(id), http.StatusFound)
	}
}

func (p *pages) showDevice(w http.ResponseWriter, r *http.Request) {
	p.show(w, http.StatusOK, view{Action: devicePath, Code: r.FormValue("user_code"), WantsCode: true})
}

// device lets a program in that has no browser.
func (p *pages) device(w http.ResponseWriter, r *http.Request) {
	code := r.PostFormValue("user_code")
	again := view{Action: devicePath, Code: code, WantsCode: true}
	switch {
	case !p.storage.isUser(r.PostFormValue("username"), r.PostFormValue("password")):
		again.Said = "User or password is wrong."
		p.show(w, http.StatusForbidden, again)
	case !p.storage.devices.finish(code):
		again.Said = "No program waits for this code."
		p.show(w, http.StatusBadRequest, again)
	default:
		p.show(w, http.StatusOK, view{Done: true})
	}
}

func (p *pages) show(w http.ResponseWriter, status int, v view) {
	if v.User == "" {
		v.User = p.storage.options.User
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	header.Set("Cache-Control", "no-store")
	header.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	_ = page.Execute(w, v)
}
