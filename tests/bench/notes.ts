// What is written below the table of goals: what stands in the way of those that are missed.

export const NOTES = ''
