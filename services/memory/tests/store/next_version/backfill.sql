UPDATE episode SET salience = round(importance * 100)
WHERE id IN (SELECT id FROM episode WHERE salience IS NULL ORDER BY id LIMIT 20 FOR UPDATE);
