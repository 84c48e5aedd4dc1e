// Package refusal tells the operator what was refused: who asked for what where, how that was answered, and why. Adapters
// report, since they alone know the answer in the words of their protocol; every refusal is reported once. The sender learns
// nothing of it. Reports hold no secrets.
package refusal
