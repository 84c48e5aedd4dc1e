package topics

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/kafka"
)

// Mechanism is how users of applications log in to Kafka.
const Mechanism = "SCRAM-SHA-512"

// iterations of a password's hash: what Kafka's own tools take.
const iterations = 4096

// Users are those of applications at Kafka: each may read the topic of its application, with groups whose names begin with that of the
// application and a dot, and nothing else. Kafka needs an authorizer. It is safe for concurrent use.
type Users struct{ admin *kadm.Client }

// NewUsers connects when it is first needed.
func NewUsers(k kafka.Config) (*Users, error) {
	client, err := kafka.NewClient(k)
	if err != nil {
		return nil, err
	}
	return &Users{kadm.NewClient(client)}, nil
}

// Close disconnects.
func (u *Users) Close() { u.admin.Close() }

// UserName is the name of an application's user at Kafka: that of its topic.
func UserName(application string) string { return event.Topic(application) }

// Exists tells whether Kafka knows the application's user.
func (u *Users) Exists(ctx context.Context, application string) (bool, error) {
	described, err := u.admin.DescribeUserSCRAMs(ctx, UserName(application))
	if err != nil {
		return false, fmt.Errorf("asking Kafka for a user: %w", err)
	}
	err = described[UserName(application)].Err
	switch {
	case errors.Is(err, kerr.ResourceNotFound):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("asking Kafka for a user: %w", err)
	}
	return true, nil
}

// SetPassword makes the application's user, or gives it another password. Connections that are open stay.
func (u *Users) SetPassword(ctx context.Context, application, password string) error {
	altered, err := u.admin.AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{{
		User: UserName(application), Mechanism: kadm.ScramSha512, Iterations: iterations, Password: password,
	}})
	if err == nil {
		err = altered.Error()
	}
	if err != nil {
		return fmt.Errorf("setting the password of a user at Kafka: %w", err)
	}
	return nil
}

// Permit lets the application's user read its topic. Doing it again changes nothing.
func (u *Users) Permit(ctx context.Context, application string) error {
	for _, b := range permissions(application) {
		created, err := u.admin.CreateACLs(ctx, b)
		for _, one := range created {
			err = errors.Join(err, one.Err)
		}
		if err != nil {
			return fmt.Errorf("giving a user permissions at Kafka: %w", err)
		}
	}
	return nil
}

func permissions(application string) []*kadm.ACLBuilder {
	may := func() *kadm.ACLBuilder {
		return kadm.NewACLs().Allow("User:"+UserName(application)).AllowHosts().Operations(kadm.OpRead, kadm.OpDescribe)
	}
	return []*kadm.ACLBuilder{
		may().Topics(event.Topic(application)).ResourcePatternType(kadm.ACLPatternLiteral),
		may().Groups(application + ".").ResourcePatternType(kadm.ACLPatternPrefixed),
	}
}

// Remove deletes the application's user with its permissions, if there is one.
func (u *Users) Remove(ctx context.Context, application string) error {
	everything := kadm.NewACLs().AnyResource().Allow("User:" + UserName(application)).AllowHosts().Operations().ResourcePatternType(kadm.ACLPatternAny)
	deleted, err := u.admin.DeleteACLs(ctx, everything)
	for _, one := range deleted {
		err = errors.Join(err, one.Err)
	}
	if err != nil {
		return fmt.Errorf("taking permissions at Kafka from a user: %w", err)
	}
	altered, err := u.admin.AlterUserSCRAMs(ctx, []kadm.DeleteSCRAM{{User: UserName(application), Mechanism: kadm.ScramSha512}}, nil)
	if err == nil {
		err = altered.Error()
	}
	if err != nil && !errors.Is(err, kerr.ResourceNotFound) {
		return fmt.Errorf("deleting a user at Kafka: %w", err)
	}
	return nil
}
