"""What people are shown: problems, explanations, comparisons, alarms."""
