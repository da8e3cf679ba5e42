-- test/numbers.sql: big-endian numbers, as RFC 7518 writes those of keys and
-- signatures
CREATE FUNCTION pg_temp.number(octets bytea) RETURNS numeric
LANGUAGE plpgsql AS $$
DECLARE
    result numeric := 0;
BEGIN
    FOR i IN 0..length(octets) - 1 LOOP
        result := result * 256 + get_byte(octets, i);
    END LOOP;
    RETURN result;
END;
$$;
CREATE FUNCTION pg_temp.octets(value numeric, size integer) RETURNS bytea
LANGUAGE plpgsql AS $$
DECLARE
    result bytea := decode(repeat('00', size), 'hex');
BEGIN
    FOR i IN REVERSE size - 1..0 LOOP
        result := set_byte(result, i, (value % 256)::integer);
        value := div(value, 256);
    END LOOP;
    IF value <> 0 THEN
        RAISE 'it has more than % bytes', size;
    END IF;
    RETURN result;
END;
$$;
