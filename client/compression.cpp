#include "client/compression.hpp"

#include <algorithm>
#include <zlib.h>

namespace holdfast::client {

namespace {

Bytef* bytes_of(char* text) {
    return reinterpret_cast<Bytef*>(text);
}
const Bytef* bytes_of(const char* text) {
    return reinterpret_cast<const Bytef*>(text);
}

} // namespace

std::string deflate_text(std::string_view text, int level) {
    // One byte less than it has: then zlib itself says when it does not pay.
    std::string out(text.empty() ? 0 : text.size() - 1, '\0');
    uLongf size = out.size();
    if (::compress2(bytes_of(out.data()), &size, bytes_of(text.data()), text.size(), level) != Z_OK)
        return {};
    out.resize(size);
    return out;
}

result<std::string> inflate_text(std::string_view bytes, std::size_t max_bytes) {
    z_stream stream{};
    if (::inflateInit(&stream) != Z_OK)
        return error{errc::internal, "zlib can't be started"};
    struct ender {
        z_stream* stream;
        ~ender() { ::inflateEnd(stream); }
    } const end{&stream};
    stream.next_in = const_cast<Bytef*>(bytes_of(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
    std::string out;
    while (true) {
        const std::size_t have = out.size();
        if (have >= max_bytes)
            return error{errc::too_large,
                         "the compressed body inflates to more than " + std::to_string(max_bytes) + " bytes"};
        const std::size_t room =
            std::min(max_bytes - have, std::max<std::size_t>(have, bytes.size() * 4 + 64));
        out.resize(have + room);
        stream.next_out = bytes_of(out.data()) + have;
        stream.avail_out = static_cast<uInt>(room);
        const int status = ::inflate(&stream, Z_NO_FLUSH);
        out.resize(have + room - stream.avail_out);
        if (status == Z_STREAM_END)
            return out;
        if (status != Z_OK || (stream.avail_in == 0 && stream.avail_out != 0))
            return error{errc::malformed, "the compressed body is no complete zlib stream"};
    }
}

} // namespace holdfast::client
