-- How sound the bars are that a prediction was made from, as JSON; null where nobody looked.
ALTER TABLE roi ADD COLUMN health TEXT;
