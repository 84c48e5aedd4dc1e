module github.com/fairlead/fairlead/test/function

go 1.26.0

replace github.com/fairlead/fairlead => ../..

require (
	github.com/fairlead/fairlead v0.0.0
	knative.dev/func-go v0.22.0
)

require (
	github.com/mattn/go-colorable v0.1.15 // indirect
	github.com/mattn/go-isatty v0.0.24 // indirect
	github.com/rs/zerolog v1.35.1 // indirect
	golang.org/x/sys v0.47.0 // indirect
)
