// Package ttn lets The Things Network call in: it reads the webhooks of The Things Stack (v3) and of the old Things
// Network stack (v2) and hands each message to the pipeline in the name of the LoRaWAN device that it is about.
//
// Reading is tolerant where the stacks vary and strict where a wrong guess would put a message under the wrong name: of
// a body only the device's name and the message itself are needed, what is not known is ignored, and what cannot be
// read is refused with a reason. The stack disables a webhook whose calls keep failing, so nothing that the stack sends
// of its own accord is refused, and nothing that a body contains is answered as if the fault were ours.
package ttn
