// What is written below the table of goals: what stands in the way of those that are missed.

export const NOTES = `## What stands in the way

\`npm run profile\` shows where a ping's time goes; of the server's time at 4,000 pings a second on one node, each to one customer (shares are about right, from a busy machine):

| share | where | can it go? |
|---|---|---|
| 22 % | reading the ping and writing the customer's frame: system calls, \`net\`, \`ws\` | no: the floor pays it too, and it is most of the floor |
| 20 % | the journal: batches joined, columns written as text, four statements a flush, answers read | only with fewer pings a message: in batches of ten a ping costs a quarter in all |
| 11 % | garbage collection: the trip's folds, the checked fix, the promise of its \`kept\` | in part |
| 10 % | gate, place, pace, arrivals, the track and its ETA | no: these are the rules |
| 8 % | what this customer may see, as bytes | in part |
| 8 % | rate limits, checks of the message, clock of the device | no |
| 8 % | \`kept\`, heartbeats, connections looked after | no: they are the promise to devices and pages |
| 4 % | fleet frames and rows for ten dispatchers | no |

The floor keeps nothing, checks nothing and promises nothing. \`e2e-capacity\` is therefore stated with the journal on, and its goals of 1.6 × are for a machine that
does nothing else: at a load average above the number of cores both servers read several frames a turn, and pings that come in bunches are shown as their newest (at most
four positions a second to each customer), which lowers what is delivered.

\`progress-eta\`: the place is found by distance, prediction and direction of travel together, which keeps streets that are driven out and back apart; the floor looks at
distance alone and takes the wrong side in half of such cases.
`
