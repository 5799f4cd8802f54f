#include "network/tcp_probe.hpp"

#include <utility>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace holdfast::network {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

result<void> probe_tcp(const std::string& host, std::uint16_t port, std::chrono::milliseconds timeout) {
    asio::io_context context{1};
    boost::system::error_code failure;
    const auto addresses = tcp::resolver{context}.resolve(host, std::to_string(port), failure);
    if (failure)
        return error{errc::not_found, "'" + host + "' is no known host (" + failure.message() + ")"};
    tcp::socket socket{context};
    auto outcome = boost::system::error_code{asio::error::timed_out};
    asio::async_connect(socket, addresses,
                        [&](const boost::system::error_code& code, const tcp::endpoint&) { outcome = code; });
    context.run_for(timeout);
    if (outcome)
        return error{outcome == asio::error::timed_out ? errc::timed_out : errc::unavailable,
                     outcome.message()};
    // Linux connects a socket to itself when nobody listens there and the port is the one it happened to get.
    if (socket.local_endpoint(failure) == socket.remote_endpoint(failure)) {
        socket.set_option(tcp::socket::linger{true, 0}, failure); // leaves the port free at once
        return error{errc::unavailable, make_error_code(asio::error::connection_refused).message()};
    }
    return {};
}

} // namespace holdfast::network
