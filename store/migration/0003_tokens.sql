-- Schema 3. What each answer took, in tokens of all its requests. Answers of earlier
-- schemas were not counted: 0.
ALTER TABLE answer ADD COLUMN prompt_tokens     INTEGER NOT NULL DEFAULT 0 CHECK (prompt_tokens >= 0);
ALTER TABLE answer ADD COLUMN completion_tokens INTEGER NOT NULL DEFAULT 0 CHECK (completion_tokens >= 0);

DROP VIEW answers;
CREATE VIEW answers AS
    SELECT recipe.id AS recipe_id, item.id AS item_id, split, value, missing, truncated, empty, completion, prompt_tokens, completion_tokens
    FROM answer JOIN recipe ON recipe.key = answer.recipe JOIN item ON item.key = answer.item;
