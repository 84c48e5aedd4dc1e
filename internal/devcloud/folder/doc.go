// Package folder is the data folder of `fairlead dev`: who owns it, files that are written as a whole or not at all, and
// noticing that files which a user edits have changed.
package folder
