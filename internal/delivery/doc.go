// Package delivery reads events as HTTP requests bring them: from Triggers, and from whoever else speaks CloudEvents.
package delivery
