package provision

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/topics"
)

// RotateAnnotation asks for another password of an application's user at Kafka, each time its value changes.
const RotateAnnotation = "fairlead.dev/rotate-kafka-password"

// sectionKafka is the section of the status that says how an application reads its topic itself.
const sectionKafka = "kafka"

// KafkaUsers makes and deletes the users of applications at Kafka. *topics.Users does.
type KafkaUsers interface {
	Exists(ctx context.Context, application string) (bool, error)
	SetPassword(ctx context.Context, application, password string) error
	Permit(ctx context.Context, application string) error
	Remove(ctx context.Context, application string) error
}

// A kafkaUser is what the status says of an application's user.
type kafkaUser struct {
	Username  string `json:"username"`
	Password  string `json:"password"`
	Mechanism string `json:"mechanism"`
	Rotated   string `json:"rotated,omitempty"` // value of the annotation with which the password was made
	Pending   bool   `json:"pending,omitempty"` // Kafka may not know the password yet
}

// kafkaUserOf reads the status; false is no user, or one that somebody has spoilt.
func kafkaUserOf(a *registry.Application) (u kafkaUser, ok bool) {
	var section struct{ User kafkaUser }
	if json.Unmarshal(a.Status[sectionKafka], &section) != nil {
		return u, false
	}
	return section.User, section.User.Password != "" && section.User.Username == topics.UserName(a.Metadata.Name)
}

// makeUser gives an application its user at Kafka. The status has the password first, as pending, so that processes that do this at the
// same time, or one after the other has died, come to the same.
func (p *Provisioner) makeUser(ctx context.Context, a *registry.Application) verdict {
	if p.Users == nil {
		return verdict{}
	}
	name, wanted := a.Metadata.Name, a.Metadata.Annotations[RotateAnnotation]
	u, known := kafkaUserOf(a)
	if !known || u.Rotated != wanted {
		var err error
		if u, err = p.proposeUser(ctx, a, wanted); err != nil || u.Password == "" { // the application is gone
			return of(err)
		}
	}
	there, err := p.Users.Exists(ctx, name)
	if err == nil && (u.Pending || !there) {
		err = p.Users.SetPassword(ctx, name, u.Password)
	}
	if err == nil && u.Pending {
		err = p.settleUser(ctx, a, u)
	}
	if err == nil {
		err = p.Users.Permit(ctx, name)
	}
	return of(err)
}

// proposeUser writes a user with another password into the status, unless somebody has been faster, and tells which one is there.
func (p *Provisioner) proposeUser(ctx context.Context, a *registry.Application, rotation string) (chosen kafkaUser, err error) {
	password := rand.Text()
	err = p.update(ctx, a, func(stored *registry.Application) error {
		if u, known := kafkaUserOf(stored); known && u.Rotated == rotation {
			chosen = u
			return nil
		}
		chosen = kafkaUser{Username: topics.UserName(a.Metadata.Name), Password: password, Mechanism: topics.Mechanism, Rotated: rotation, Pending: true}
		return chosen.write(stored)
	})
	return chosen, err
}

// settleUser notes that Kafka knows the password, if it still is the one in the status.
func (p *Provisioner) settleUser(ctx context.Context, a *registry.Application, u kafkaUser) error {
	return p.update(ctx, a, func(stored *registry.Application) error {
		if now, known := kafkaUserOf(stored); !known || now != u {
			return nil
		}
		u.Pending = false
		return u.write(stored)
	})
}

// write puts the user into the status, beside what else is there.
func (u kafkaUser) write(a *registry.Application) error {
	section := map[string]json.RawMessage{}
	if json.Unmarshal(a.Status[sectionKafka], &section) != nil || section == nil { // what somebody has spoilt is replaced
		section = map[string]json.RawMessage{}
	}
	user, err := json.Marshal(u)
	if err != nil {
		return fmt.Errorf("writing a user into the status: %w", err)
	}
	section["user"] = user
	text, err := json.Marshal(section)
	if err != nil {
		return fmt.Errorf("writing a user into the status: %w", err)
	}
	if a.Status == nil {
		a.Status = registry.Sections{}
	}
	a.Status[sectionKafka] = text
	return nil
}

// removeUser deletes the user of an application that is gone.
func (p *Provisioner) removeUser(ctx context.Context, name string) error {
	if p.Users == nil {
		return nil
	}
	return of(p.Users.Remove(ctx, name)).retry()
}
