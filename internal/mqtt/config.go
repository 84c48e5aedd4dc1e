package mqtt

import (
	"errors"
	"time"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
)

// A Config says how much the connections of a server may take.
type Config struct {
	MaxPacket        int           `doc:"largest packet in bytes, fixed header included, that an admitted client may send; 1024 to 1048576"`
	MaxConnectPacket int           `doc:"largest CONNECT in bytes, will included; 256 to maxPacket"`
	ConnectTimeout   time.Duration `doc:"duration from accepting a connection to its CONNACK; 1s to 60s, so that it leaves room for a cold start of the authentication function"`

	KeepAlive    time.Duration `doc:"keep-alive that a client of version 5 is told if it asks for none; whole seconds, 5s to maxKeepAlive"`
	MaxKeepAlive time.Duration `doc:"longest keep-alive; a client of version 5 that asks for more is told so, one of version 3.1.1 that asks for none or more is disconnected after one and a half times this without a packet; whole seconds, up to 18h"`

	ReceiveMaximum int  `doc:"number of messages of QoS 1 that a client may have in flight, and likewise of QoS 0; 1 to 65535"`
	CloseOnRefusal bool `doc:"whether a message of QoS 1 that can never be stored (forbidden, malformed, rejected, too large) closes a connection of version 3.1.1, which has no words for a refusal; by default it is acknowledged, counted and logged, since clients send again what is not acknowledged, and nothing after it"`

	TopicAliasMaximum int `doc:"number of topic aliases that a client of version 5 may use; 0 to 1024"`
	TopicAliasBytes   int `doc:"bytes that the topics of one client's aliases may have together"`

	MaxConnections int `doc:"number of admitted connections, beyond which clients are told to come back later"`
	MaxUnadmitted  int `doc:"number of connections without a CONNACK, beyond which new ones are closed unheard"`
	ConnectRate    int `doc:"CONNECT packets per second that are judged over time; further clients are told to come back later"`
	ConnectBurst   int `doc:"CONNECT packets beyond connectRate that are taken after a quiet time; so many connections, or connectRate if that is more, are accepted in a second, down to a fifth of that while the process is late for want of cores, and further ones wait in the kernel's queue"`
	ConnectsAtOnce int `doc:"number of CONNECT packets that are being judged at the same time; further clients are told that the server is busy"`

	DeliveryQueue int           `doc:"number of messages that wait for a client that reads slowly; the oldest gives way"`
	DeliveryBytes int           `doc:"bytes of messages that wait for a client that reads slowly; the oldest give way"`
	WriteTimeout  time.Duration `doc:"duration after which a client that does not read what is sent to it is disconnected; 1s to 60s"`
}

// DefaultConfig suits a gateway with a gigabyte of memory.
func DefaultConfig() Config {
	return Config{
		MaxPacket:         128 << 10,
		MaxConnectPacket:  16 << 10,
		ConnectTimeout:    15 * time.Second,
		KeepAlive:         time.Minute,
		MaxKeepAlive:      20 * time.Minute,
		ReceiveMaximum:    100,
		TopicAliasMaximum: 16,
		TopicAliasBytes:   4 << 10,
		MaxConnections:    50_000,
		MaxUnadmitted:     5_000,
		ConnectRate:       1_000,
		ConnectBurst:      2_000,
		ConnectsAtOnce:    3_000, // more than the lookups and the refusals that wait of one application
		DeliveryQueue:     32,
		DeliveryBytes:     256 << 10,
		WriteTimeout:      10 * time.Second,
	}
}

// Validate names the first bad field.
func (c *Config) Validate() error {
	for _, check := range []func(*Config) error{(*Config).validatePackets, (*Config).validateClients, (*Config).validateDeliveries} {
		if err := check(c); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) validatePackets() error {
	switch {
	case c.MaxPacket < 1<<10 || c.MaxPacket > largestBuffer:
		return errors.New("maxPacket: must lie between 1024 and 1048576")
	case c.MaxConnectPacket < 256 || c.MaxConnectPacket > c.MaxPacket:
		return errors.New("maxConnectPacket: must lie between 256 and maxPacket")
	case c.ReceiveMaximum < 1 || c.ReceiveMaximum > 0xFFFF:
		return errors.New("receiveMaximum: must lie between 1 and 65535")
	case c.TopicAliasMaximum < 0 || c.TopicAliasMaximum > 1024:
		return errors.New("topicAliasMaximum: must lie between 0 and 1024")
	case c.TopicAliasBytes < 0 || c.TopicAliasBytes > 1<<20:
		return errors.New("topicAliasBytes: must lie between 0 and 1048576")
	}
	return nil
}

func (c *Config) validateClients() error {
	switch {
	case c.ConnectTimeout < time.Second || c.ConnectTimeout > time.Minute:
		return errors.New("connectTimeout: must lie between 1s and 60s")
	case c.MaxKeepAlive < 5*time.Second || c.MaxKeepAlive > 18*time.Hour || c.MaxKeepAlive%time.Second != 0:
		return errors.New("maxKeepAlive: must be whole seconds between 5s and 18h")
	case c.KeepAlive < 5*time.Second || c.KeepAlive > c.MaxKeepAlive || c.KeepAlive%time.Second != 0:
		return errors.New("keepAlive: must be whole seconds between 5s and maxKeepAlive")
	case c.MaxConnections < 1:
		return errors.New("maxConnections: must be at least 1")
	case c.MaxUnadmitted < 1:
		return errors.New("maxUnadmitted: must be at least 1")
	case c.ConnectRate < 1:
		return errors.New("connectRate: must be at least 1")
	case c.ConnectBurst < 1:
		return errors.New("connectBurst: must be at least 1")
	case c.ConnectsAtOnce < 1:
		return errors.New("connectsAtOnce: must be at least 1")
	}
	return nil
}

func (c *Config) validateDeliveries() error {
	switch {
	case c.DeliveryQueue < 1:
		return errors.New("deliveryQueue: must be at least 1")
	case c.DeliveryBytes < pageBuffer:
		return errors.New("deliveryBytes: must be at least 4096")
	case c.WriteTimeout < time.Second || c.WriteTimeout > time.Minute:
		return errors.New("writeTimeout: must lie between 1s and 60s")
	}
	return nil
}

// keepAlive is what a client has to keep, in seconds.
func (c *Config) keepAlive(p *packet.Connect) uint16 {
	most := uint16(c.MaxKeepAlive / time.Second)
	switch {
	case p.KeepAlive == 0 && p.Version == packet.V5:
		return uint16(c.KeepAlive / time.Second)
	case p.KeepAlive == 0:
		return most
	default:
		return min(p.KeepAlive, most)
	}
}
