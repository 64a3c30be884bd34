#pragma once

#include "px/json.h"

/// Type of the value that a token begins.
static inline enum px_json_type json_type(enum px_json_token token)
{
    switch (token) {
    case PX_JSON_T_FALSE: return PX_JSON_FALSE;
    case PX_JSON_T_TRUE: return PX_JSON_TRUE;
    case PX_JSON_T_NUMBER: return PX_JSON_NUMBER;
    case PX_JSON_T_STRING: return PX_JSON_STRING;
    case PX_JSON_T_ARRAY: return PX_JSON_ARRAY;
    case PX_JSON_T_OBJECT: return PX_JSON_OBJECT;
    default: return PX_JSON_NULL;
    }
}
