#include "base/result.hpp"

namespace holdfast {

std::string_view to_string(errc code) {
    switch (code) {
    case errc::invalid_argument:
        return "invalid argument";
    case errc::malformed:
        return "malformed";
    case errc::too_large:
        return "too large";
    case errc::not_found:
        return "not found";
    case errc::already_exists:
        return "already exists";
    case errc::permission_denied:
        return "permission denied";
    case errc::unavailable:
        return "unavailable";
    case errc::io_failed:
        return "i/o failed";
    case errc::corrupted:
        return "corrupted";
    case errc::not_supported:
        return "not supported";
    case errc::timed_out:
        return "timed out";
    case errc::internal:
        return "internal";
    }
    return "unknown";
}

} // namespace holdfast
