#include "client/message_view.hpp"

#include "client/compression.hpp"
#include "protocol/message_id.hpp"

namespace holdfast::client {

std::string message_view::plain_body() const {
    if (compressed())
        if (auto text = inflate_text(stored_body()))
            return std::move(*text);
    return std::string{stored_body()};
}

std::string message_view::message_id() const {
    if (const auto id = property(protocol::property::unique_key))
        return std::string{*id};
    return offset_message_id();
}

std::string message_view::offset_message_id() const {
    return protocol::make_message_id(record_.store_host.to_ipv4(),
                                     log_position{static_cast<std::uint64_t>(record_.physical_offset)});
}

} // namespace holdfast::client
