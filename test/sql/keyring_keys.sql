\unset ECHO
\i test/setup.sql
\i test/numbers.sql

-- test/sql/keyring_keys.sql: which keys a keyring takes, and what they do then
--
-- Promise: a key is judged when the keyring is read, in every respect that
-- makes signatures worth something; what is refused stands beside what is
-- taken.  vidtoken_check() tells the reason, and no byte of a key.  A PEM file
-- is watched as the keyring itself is.  A provider signs with the algorithm
-- that it takes, and with its own keys.
--
-- The keys are here for everyone to read: nothing but tests may use them.  The
-- token beside each was signed by another library.
--
-- Copyright (c) 2026, the vidtoken authors

SET LOCAL statement_timeout = '600s';
SELECT format('%s/vidtoken_test_keys_%s', current_setting('data_directory'), pg_backend_pid()) AS ring \gset

-- what the server's user does to a file of its own
CREATE FUNCTION pg_temp.shell(command text, input text DEFAULT '') RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('COPY (SELECT %L) TO PROGRAM %L',
                   translate(encode(convert_to(input, 'UTF8'), 'base64'), E'\n', ''),
                   'umask 077; ' || command);
END;
$$;
CREATE FUNCTION pg_temp.path(name text) RETURNS text
LANGUAGE sql AS $$
    SELECT format('%s/vidtoken_test_keys_%s%s', current_setting('data_directory'), pg_backend_pid(), name)
$$;
CREATE FUNCTION pg_temp.b64(octets bytea) RETURNS text
LANGUAGE sql AS $$
    SELECT translate(encode(octets, 'base64'), E'+/=\n', '-_')
$$;
CREATE FUNCTION pg_temp.octets(encoded text) RETURNS bytea
LANGUAGE sql AS $$
    SELECT decode(rpad(s, ((length(s) + 3) / 4) * 4, '='), 'base64') FROM translate(encoded, '-_', '+/') AS s
$$;

-- Keys of kid K, and a token of each that expires in 2030
CREATE TEMP TABLE material (name text PRIMARY KEY, jwk jsonb, token text);
INSERT INTO material VALUES
('HS256',
    '{"kty":"oct","kid":"K","alg":"HS256","k":"Y2FuYXJ5LUhTMjU2LWFiY2RlZmdoaWprbG1ub3BxcnM"}',
    'eyJhbGciOiJIUzI1NiIsImtpZCI6IksiLCJ0eXAiOiJKV1QifQ.eyJzdWIiOiJmb3JlaWduIiwiZXhwIjoxODkzNDU2MDAwfQ.Rj'
    'g2D3T9_Ijo9h9uZ27EMfy6vQCheQ9Ml06m9QigXa4'),
('HS384',
    '{"kty":"oct","kid":"K","alg":"HS384","k":"Y2FuYXJ5LUhTMzg0LWFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6MDEyMz'
    'Q1Njc4"}',
    'eyJhbGciOiJIUzM4NCIsImtpZCI6IksiLCJ0eXAiOiJKV1QifQ.eyJzdWIiOiJmb3JlaWduIiwiZXhwIjoxODkzNDU2MDAwfQ.s2'
    'fk_DZhTA7EOJZz1rNSAzphnRGQV8UUJ-bT8Q41oDgf3ErU-KAwgi7T2Q0d7v0L'),
('HS512',
    '{"kty":"oct","kid":"K","alg":"HS512","k":"Y2FuYXJ5LUhTNTEyLWFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6MDEyMz'
    'Q1Njc4OS1BQkNERUZHSElKS0xNTg"}',
    'eyJhbGciOiJIUzUxMiIsImtpZCI6IksiLCJ0eXAiOiJKV1QifQ.eyJzdWIiOiJmb3JlaWduIiwiZXhwIjoxODkzNDU2MDAwfQ.Gn'
    '9Hpwh8iGFh5y82_Hrh1Xr1dh54FsklwCb3N_ZCsz1QNmeG0Qgkipia5cKcvl1NYYi09anj8QMTWJ67rg_w6w'),
('RS256',
    '{"kty":"RSA","kid":"K","alg":"RS256","n":"2ypeHlhTPeIoloaYRNkyX7FnbWAsVmzhOVZIKn64cVg-xQAgx1quOz1bGA'
    'JgoDNxXFvZf6hIAmNF-IISOBafS13w1md__orunJMpjIPs0D5cAnI98N16EIyIOdfT9q8qeo6Yxf_beCTDwb4zO2rZ1F1ScHYUKc'
    'Rh15AXRdQ_nedBUBcWAeIwRmpIhX98eUELQ8tPXjdWxz9_LiIzMbAFjU265-Z8_KhBa9jLySPNSYwGLqy5CxnW2JubMhNBR1YUCB'
    'vTds1LE4Dsq2AeCDOXpi9gHnXto76GpVTdwXdkr_n6RFaLz0YxOSbcsetZ7RYxhwuWWSt_9T4bqwpUztQT_Q","e":"AQAB","d"'
    ':"XYab-XkZtLvRNEMlsaO6QmnTSDKVWSBHkI9IZpIDJaNRzgG6-zewSGlreThygYrSYmZzz21BpXs1vdHL8pF80s2429X5Ieep4b'
    'lPLr6RjWA_JXAZDLOGxo8iBwUaWBfyGbDGcyA3SPLvcrs247E6WcylRIavHg_G7RV5SPxFVZ0y315waBdF3l7H1zAleX-CtIk4zq'
    '0Nb5VsRXsNpgnWzbFGO85kLRL_uRX9SbgL2XYLRyj0F4qWbGImy9GxW8EfmX30bbhELSRpetCGp_8ICEYUVINxZ0eUqURjk9UDBW'
    'gHPlEioToAfwYRdu1amFBWIrfUC6ZIF9KXQ8rzwiyohQ","p":"8ys19SWWfYSmT2pXUb9ONAWwufts74PI8YOMdWipMotTztWYK'
    'CRSeBf_umA0M-HYpqKcKrU3F6WZbTXyvkYlNOCGR_O_7Qk-F8mBhPTA0SiQf2OLhGMF51YFHGxXpzlQafgRWjJnb6TG00kebxdUU'
    'oipHXtJ6HgwlKuwk7zGXl8","q":"5rrp-QvlyC4AXeyzyAj2hyEkcrHMCnVCne7p9n3Cy7nH3uYPiZ7nTcVWYxveSyxi0tOGaoD'
    'rgdoOqd7eEq0Z4jcomViXXAgdHORXSNI46jbvZZ4Juf2R941md4GfpTPZdXAfJIBeesHyK5R5YrIkH0d8am1TMzM_-Obj2_1_8yM'
    '","dp":"ynZB2LjREfTuG9UomtGzpTDPsioay1loZ13mBqN7rK_Aucexhkqnt4IT0_PhwwjZv_RIHm7_Tdr9Yaa3U6FHvTzr0OCr'
    '_gnh_yAxjKfUGtGxbb9OHI3uDmzamI3EdWENCQ4YNIcfBB-nw6dvhYNhG87ZL8jFAp9_o2lH_doBN_U","dq":"4_vrNyfXbB5wR'
    'F6gIlcg6dMIxcADQo4tPgsV6XbIpS80XH5s-eom2cTVIGcoFpWMLI_QMKqkipFhjd5nBoM-oTUpi6RrIwftZGAIEy-OB3gywvEO4'
    'VW6BqcUiZ9ulPmPtSgNza5-LMQ5O3ChJLGrWbD0MeFGpb_NRW831Wc-J4s","qi":"kbG6CUp7G3U78EGVqGeCU4APanWWu7tpZI'
    '3_4TNKfmN4zN6cwMK6nis8-H6ODeHREbyrSGSyl6euRqkJIo-1Ut3JGA_vcfDwob_CbiaAPPGi0NxHOkFj3yZRQEX_7cNahVX354'
    '_xqRMuX5KpDYbqnWhYfFTZTdezj4JLVge5A48"}',
    'eyJhbGciOiJSUzI1NiIsImtpZCI6IksiLCJ0eXAiOiJKV1QifQ.eyJzdWIiOiJmb3JlaWduIiwiZXhwIjoxODkzNDU2MDAwfQ.kb'
    'KGF9PnqBcm4QhmdG2S0o6XN7yMkmMxspoLXkN8l3GYBaRoivS0YbbZYRQmODIF9zW1cJyLGqRd7Pr9nt4mAqKWYck8D9-CCsgcWD'
    'Pe6g6Y3sHKaB1hSPOxYAOTIZOgZrGlchYU0e0l29zGW4eNNw-gmN_3-0bZj2ASKafaKVBnESXqGzOvL8eBcdOkp4PqwhxjGBQvpq'
    'CcR1nQfvgZ_JAPNFf7i2jOK5bRacnG2lk_8u-kvJ_lEva7_TFD4AQbIGMvUehrzBqAI_4ickoZKxo5dEAolB57nB5jvG8ud0Bsg3'
    'PbJfapxsFgz76sKFu4t_NRy46gf3aPEax_Cxh2tQ'),
('ES256',
    '{"kty":"EC","kid":"K","alg":"ES256","crv":"P-256","x":"sHBeyUsN9DtKgeCo8QsLJVK8vHtWafBx8OEkZP6Kc34",'
    '"y":"lzpETS5qd7ljHQky5x1_DgMxLCtMWQ2qnpba7kyyb98","d":"6HWMwdf0EHQBfMPU7Rr5nmiwH8pmElydTM2wfeX5Ufs"}',
    'eyJhbGciOiJFUzI1NiIsImtpZCI6IksiLCJ0eXAiOiJKV1QifQ.eyJzdWIiOiJmb3JlaWduIiwiZXhwIjoxODkzNDU2MDAwfQ.j8'
    'voonU0KWQVK3cRq0gFVYKsHdwv2_IfjH_TdXptZKv3TvhxHv2HeegFoVjN_LwfkLHCDyG0YGl4pGysVDHmuw'),
('EdDSA',
    '{"kty":"OKP","kid":"K","alg":"EdDSA","crv":"Ed25519","x":"Vo--jNx5fnE95MxCJJoDtAmtu3LdX_H0vlRyr5wIp8'
    's","d":"lZHtveeQM1AHIDtS6xAucSwxwytgsNxFxMDNMETQMzE"}',
    'eyJhbGciOiJFZERTQSIsImtpZCI6IksiLCJ0eXAiOiJKV1QifQ.eyJzdWIiOiJmb3JlaWduIiwiZXhwIjoxODkzNDU2MDAwfQ.re'
    'hBia58Rr3dHsiZVIutIIro_xG9XHC6T9BWxV_3k2FpG0seDHrlMTgkPRtpIMnjBT_4FUmkrruf078apQ_ZDQ'),
('RSA e=3',
    '{"kty":"RSA","kid":"K","alg":"RS256","n":"llN8_YJTUKu3wY8b6CF45zDT8OYolAv5i03EYyJB3SbmTvwHJndBlxAf_F'
    'IkjIERTt_ZAs85Nz1o0Qlzmnswu9XVEMVzTRVKi5RlPLE0viffoUksWV3q3gM2Uzo0wDs31bSbhCRhSjndVcGi0IvaPPwLrDIAIc'
    'vn-hZnOUN5JP7gacLgqWP1BGz8equfAf_HqOX8XWU4YR1sBdEUJxng-kIh6P1M6kDH46cizFpT0a_we0-kBYcydOtDR6e_kSf7o7'
    'mg0M-s_a5s6f3LSe5LZ4JK8ux6_RPBD3eeZoQISkpc1ijzE9oIxUJM-Ua9prJBZbWcgf2x6ZOW92XUp8flJw","e":"Aw"}',
    'eyJhbGciOiJSUzI1NiIsImtpZCI6IksiLCJ0eXAiOiJKV1QifQ.eyJzdWIiOiJmb3JlaWduIiwiZXhwIjoxODkzNDU2MDAwfQ.FF'
    'HhDhP0n74NtWbwwjc-BjUtzYJg0Bz7kASAlUcwBsjZUB9iSokG-o4t8eP5AwBCtXBGxVMc2dtjnsMbMX9Fsq_bOpFlk74OL7SCzX'
    'xc6Q7E0kghgpE_2iRV0m4xB6dsU4f28yuxPxa_SFXRw-S9D50kSa2RR2hlbzRv8yf5I9w1Et7NK1glGDdgn0pVPE58lU1x92mwbq'
    'kJR0dk6e-vZlBtpj5V5OwJgh2LXSclYR16nBOtyQrhDCNNnx2xY1LYSwppyQawQ0-ej5bd464iZ3wJxp7QLROBOQvk8X-NPy5OSo'
    'NYGGIDeayo3Q5aPfWNoU446TNKtqMWDVysirZf_w'),
('RSA e of 64 bits',
    '{"kty":"RSA","kid":"K","alg":"RS256","n":"noYF3auyhufch-5IggHIz_r49IMGLrj6_eAk7bzoZgndt7cemvabOfANJc'
    'JU8AlxqN4t7u9M67OGs_z7xBTys2tRKSt4MVc0Hg-ye_i3dH-BVuabdnBvYhqSyRco5adiS-l-KMgbMEDBflfwcjT1aGNimBQhSX'
    'ja4uBCcmKky8OXthM_jPYSDxK0JIRjv-yOPewSrFiQP-GdeQxclnsvgu8k_bo1NvSvmIEklSRoVprtS9DH3rnwApBZKl-wcdEiV9'
    'F2_AefLDYolTdiYaYnmuyC28VVk7xdHPErmzgfbEdJyOYb2adCv7UHvZd2iuWvpIMGklO9T3XpIVtpNRmPIQ","e":"jGzF9KEG9'
    'rs"}',
    'eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6IksifQ.eyJzdWIiOiJmb3JlaWduIiwiZXhwIjoxODkzNDU2MDAwfQ.hn'
    'pNXZzL2-EoTJzpRpRItF3IpGbaSXzvJ3d-4LxyWnTJO9G42lQ4X713RzijQFkmotCorRyUMb_BT5z3UBDbL3wJcgatEx9GJgQJFv'
    'pVcjHygiQvWcSNqqxJubOnXaxioWrVJO-3zbjYLK2n2Eh1QNxBBkPHC_Zrv_GbYFUX7pvI7iqRU1s31GUurtqzU4FCBhdAeqfOTK'
    'DcCdtAwysACn43zb4Fzptxx_sZWpCqIy9oCkuFiDn-eyupxDEh-LmGVDDjNnE2zRA3RmYB2YbeR65PpWeHNskh9p8EF1Lc-yzcKA'
    '8ls3H6-Hz2va1SSau-jPshVaGJdj96eozEG0E9xQ'),
('RSA 8192',
    '{"kty":"RSA","kid":"K","alg":"RS256","n":"uTckIfDOmQn5KtZV7fk5qT4-4zNclJbd3n-uDz-VUyaOTwdapCyhQ7xcPM'
    'nT8ZNefCMajL7wHZxKJo46DUYeTQG7eB9hyX5-FXtHHDcRsD2Ajb99avMADiKHU-yC1cnfphHmHbJXeFZ8Ca8l1x9mgkuosVU1iK'
    'SJQnEru01dhPMWfAb3e9x05xrqreWIMQ1oI44b6OrFPBnfQl323C73Qh6M_kcK75rhcplMH3a8UaRIHWB-J3snlwzu-_Zd7OL1f9'
    'GzXb2HwgeIoKwuxZ-YiaZJxdm94tJkeZRHzdiEyY0Xfsb2OBPGdgU_ovp9IqBqVcoHhzw21p6v1tYs0MIS50fAIa9R3Eu81Q0_Ax'
    '_GJgChEIxnHNDHuk0Cq9LRP6X3foMTMYc_5SmoGcLrjTC7DLf5F96La8ao2hSOQAccqi4yI7FCwENjvcKXjtRFNP8NKY-UupH7gl'
    'CjqZ8Lwt-Z7SauYzexSlja5kTpACsUK9E8d0FvSuHRMRni4xALH_6NHbNk5gAsOzPUt2TjnF_g_yfrgtE4flcp_aSVNvr5g1YWzj'
    'x_vLyIZWu65o6piQtJY8Prhh9BaBwmy2C9XXRzsCActsFquJKXqrk1q4TgHriL4koLVTubQ1tNCt5SyDcVUXlJzs3ejWr7apMKk2'
    'MQqbWf3unyDH3SkT2b8yaH5GdMvHcxwCmekPB8ph30l6mYC6LNT0VgpUtNnkAvsun1exDTr4lPs8PVOxb9juYDk6YFnVrwZ6VuNN'
    'zjlydVE_LivX55qJJf5A0hEHTRKtpom1jqO2Vd09U1yJOt5OhPQ9T2gWnv87vax3r5PemnMK-4oYhjDsoBQVFB-kfKkYZMQ5Y4Sz'
    'BQYHySK-7XUM_3gsLitsVGPNjL9mzpruDqC3svw6-dqcCXG9hMgTpkumF9cXLCEPHKqPg0Bm9dC09RO79-qM5TXya7PmkTkAFHpX'
    'vRyArhj9ic7tVwXXfBHApCqBmhyO_P7nCJd7LMaaM63wQbzxSG_R9Ok9sf2uut2bGEtVZwiBL2ZcdPzDc1uN3OrkXdm7oBeDF37h'
    'LWktkeoLi84r-ryFViQJIHEi5ZDvOUeShkxhASAsQADrrSQDQhdEPSB8LQgLW4DaqIMTwAjKfvop5dEpdfN1lfquXkuUoc-_OCrh'
    'MnMpcoynwsvrOcJdHMiRXQH4sIXr3cDUEQ0vm16ES0bgw8MBECfIR_BJJG_eGGzItrE2nYv0GxUTOy22gRIXSHQqD0fjQCf6NihQ'
    'z5TJWz60_xc7tM_pu0R9YdvOZOGCui1z2eYcqisIP8-hmgwVeg6fKZSvSTkLamXsrBlb71vtp2pNHl-WAembqF5UGK6LqI4W6tWh'
    'wDu4XDoQ","e":"AQAB"}',
    'eyJhbGciOiJSUzI1NiIsImtpZCI6IksiLCJ0eXAiOiJKV1QifQ.eyJzdWIiOiJmb3JlaWduIiwiZXhwIjoxODkzNDU2MDAwfQ.PN'
    'C70oiKis1tt_dhYebMv_BS1yYoPp73JXU6s7m76cJ3Ssdp7F3sgd1dfL0BDgbi2sLyE0sHVY8xTXzMBymg29XLhPAUkzEUWH9OTR'
    'Ei5k2C6ACbiJhWFmt12SiOnipwcPDFIMviwDpKD59f1IFIwc9MIrgN-oCmtjBE1AI3Fvz27KNvbM5_ykcfxuz8pH9f-lwusxEHNC'
    '7PJtl2fQsdFJ7ckTq5ChMUNQn5lWvbPnhDDLRnxYKTpSYqH9BdM_POK1sdHYCTocGynHS8V0dWW9803uh3E7BUeTKjXsp2sjZ26Q'
    'xeK8KkyLkDIn9-1Ku4_SFeqovJmsGs4EOoGlJPTeZQMFUgZshQY3IHsTmCssk06Pte7ZYrs_PWO5fUD9V4TnPreAYxGfvYj3HOjm'
    'jb5IXNyTEVyh1yCnjZeObYBz1uVjvKEWRLJpeD_kNqUBrgfWQ8LzGnAwdmz-NW_whrBOYLW4PC02pOll6PiSgwevT1a5QhWs5YRJ'
    'uV2UxRAmbytUyImQfe9I70DqEb1mSV-kk-itUEd2WLbh9znlWmEgfyjBZI8IXkR-DAOnTYzKkQEoYcL-_U1qTLet4n-IdszlBHpk'
    'l5kupdMF279em_TNy4LE5GhhZHw9WzbofNzrqhN6lYSK9VIhPGPC9-F92O7xM2d3fKBr09q4whd0vnhw1jJ0O-OQ5ocUazJP1Amu'
    'gs8OkYf4AlEQbD7BeAV35IM6ead0DLZxALD7Ao-c9OekwdumT1uqEwcaykyj3VTRBEAzrIIvRTQK9qHATHTiYfTsm0s40TMBpYHV'
    'i0MevNG9lNN-fRaQURpj2lHU2Zco9syxtwEu-C5_jqpIoO9uVawO-tJUUvtpz1u9ZF0-jMC4OXYzp9tvDYSi8L7h3jtJJH6ZE4fx'
    'Fr-TG68PwrUHvUADQRvgX-POuTDovDMmVRRVYefHHz9KR23uam2r3nFSEeKnVM6WrXiJrk6mx0fsyDzmRU6aWluYs4E_IaKrJlW4'
    '4lYtEztSvdQh2rJiFHzhgcxUKedMx_XxeeLhuDcigkhybxI3YX9cujD9mAROV5MN8l27uSQ_IW-6ajJcGcWM9E0m14cB4EmSI5P1'
    '3-OieZwmT7w7HdBIVXaTECmop9mLk1TGyCrCNcbDtWN82GytJm6FPOaCDHwnYCn0_lu-H9Gzfe9xOK-Kq1hiOjutHS6hAl9WP97A'
    '75tR76uED94-8mRMRZ23M7LrAYI7ri6dF8VDtrEx3V1tUGwtwJjHOQ50PlYo_2zJhvrG9Mmg9-a3U9BoVhBzwWTaY9c1OVdn26Vo'
    'KqD0lIvIoRaUYJyULgkVdXrJNeKJTs7WbU0xTfIqKedzh6uZ-oA-KXieJslAh68Q');
-- numbers of other keys of the same kind
CREATE TEMP TABLE others (name text PRIMARY KEY, jwk jsonb);
INSERT INTO others VALUES
('RS256',
    '{"d":"GfMQRCF4Cy1O9zbQY5_wtsiD6hOSkEcPWggQvZ8wtfdctWLBWijQobTkWyRrRa-CL6JlrhgIQfxhtySlvlwAjTIxWsMm_6'
    'Px8cFnA31AU3I4r_e26c_-jX2YzKMYnW9d96sVbWPptGBpTFb6dirBYJPClxV4SGKW9RlbCYZiqO6wFdPNaWjYSJoo5Y4edAxJVn'
    '-t3B9lkmGWc3AxtRirxch-VqNA31HQWxByP9FyrodXdLI6I_U-iycpGN62FGmDH0KaOcTxc6JMlFgnP9BQVkyKp23tGso-XXco_H'
    'gKbL_8cE-wFS8fQQhP-hQgYEGUqEMtwRE9Ilp6X5VQZduRmQ","p":"5zZ4P4qyUDlZZnysVc2Q61P5aMVk9Q75J9EphR7iYqDQd'
    'BZ5dtgFy1yr4imjjimJFkcwA4hB2yCf2amw2KQv6uhZIA39ZObyRv593Z56Mxfo3Bfl-IxM9J-AhvwuQqb8uEcxEqhbx75RUkC1u'
    'F58PnzMUY9al7EBWqNxFjwe74k","q":"0Sqd-E1O6gMX7HbdWYOkcFeVmYJwCUPXGXsUiIqd12BfxKYYwxdtHGBG2A22krlOefy'
    '8AtC4G8MmNMJPk6AGhH_I62TbtuK2Kngol0XDYtgyX53SWmyh0-tSJad4eWvXYS96fHEv2RolHaA0bMbs0rS9qI8Z6J85yD7RhOc'
    '7OK0","dp":"QQ1jQcV9K_Mmwx4awr1mo79psd-v6v7-fQRtYSXyXfuPCspz_EsFPlVhiu1aNhpblqgKy0Of-84vC2eh-SIg1T_w'
    'K4OkIqqTygO6WAtJqGx2uM4Ehyy6Ti0-VTxIq7od6p8lIHG7-PQEH1dTiX8UB-TG-7-QppNHpT_NBot9zLk","dq":"KHnAu-3p2'
    'Wrj1ERkLRBGX97y-hO9rm1MUIf6vzljtevWXG1v2UDNQnJ3AxQUQmxNfVmk4D6XgffPiuIXGBAdcsJvlO2dftR8P9ekszEy0AvaI'
    '5qcvBbNcf7VlKfFrmlp8kqHv1D_21kt2X_I5UvRRCzpjpaygstdGRze2oMMeLk","qi":"FtPMFmdhaOkVBfF1KhJ0N_lpZpp1qy'
    'WWlRNrP5O8KabqGJ4u9HoANhNo3hMTqIEHWCYZMcHHhLUoqLU5y59YB3Uv00xFdsxzrN8x79yYK2qs6CbaxZgEUKPVAgyxWvanXj'
    'RTiPRi2tnD4IAsRS_yAG2gw6XPSo_nyL02rt5a9Go"}'),
('ES256',
    '{"x":"1-XPfUxvW34jAZZ6dXc4FEKXNHmPW3mz7TI_njN_FbM","y":"xcv4iXZ3unZcRLasb5uhWqZZ-V5wzRUxHvprpYyScww"'
    ',"d":"9RGmYla1VyOhaYy3Fs8pNt0Q0FX5vl1Dsou74awyXrA"}'),
('EdDSA',
    '{"x":"z3DUuxv7JlMzU8DDz7TZCUSPwO5sqmB-uMYywXFcx4k","d":"vs0Qko-iKf3_vaheW9s150EMNEkkQiN6MojH0undHQk"'
    '}');
-- RSA, EC and Ed25519 are the keys above
CREATE TEMP TABLE pem (name text PRIMARY KEY, content text);
INSERT INTO pem VALUES
('RSA, PKCS#8', '-----BEGIN PRIVATE KEY-----
MIIEvwIBADANBgkqhkiG9w0BAQEFAASCBKkwggSlAgEAAoIBAQDbKl4eWFM94iiW
hphE2TJfsWdtYCxWbOE5VkgqfrhxWD7FACDHWq47PVsYAmCgM3FcW9l/qEgCY0X4
ghI4Fp9LXfDWZ3/+iu6ckymMg+zQPlwCcj3w3XoQjIg519P2ryp6jpjF/9t4JMPB
vjM7atnUXVJwdhQpxGHXkBdF1D+d50FQFxYB4jBGakiFf3x5QQtDy09eN1bHP38u
IjMxsAWNTbrn5nz8qEFr2MvJI81JjAYurLkLGdbYm5syE0FHVhQIG9N2zUsTgOyr
YB4IM5emL2Aede2jvoalVN3Bd2Sv+fpEVovPRjE5Jtyx61ntFjGHC5ZZK3/1Phur
ClTO1BP9AgMBAAECggEAXYab+XkZtLvRNEMlsaO6QmnTSDKVWSBHkI9IZpIDJaNR
zgG6+zewSGlreThygYrSYmZzz21BpXs1vdHL8pF80s2429X5Ieep4blPLr6RjWA/
JXAZDLOGxo8iBwUaWBfyGbDGcyA3SPLvcrs247E6WcylRIavHg/G7RV5SPxFVZ0y
315waBdF3l7H1zAleX+CtIk4zq0Nb5VsRXsNpgnWzbFGO85kLRL/uRX9SbgL2XYL
Ryj0F4qWbGImy9GxW8EfmX30bbhELSRpetCGp/8ICEYUVINxZ0eUqURjk9UDBWgH
PlEioToAfwYRdu1amFBWIrfUC6ZIF9KXQ8rzwiyohQKBgQDzKzX1JZZ9hKZPaldR
v040BbC5+2zvg8jxg4x1aKkyi1PO1ZgoJFJ4F/+6YDQz4dimopwqtTcXpZltNfK+
RiU04IZH87/tCT4XyYGE9MDRKJB/Y4uEYwXnVgUcbFenOVBp+BFaMmdvpMbTSR5v
F1RSiKkde0noeDCUq7CTvMZeXwKBgQDmuun5C+XILgBd7LPICPaHISRyscwKdUKd
7un2fcLLucfe5g+JnudNxVZjG95LLGLS04ZqgOuB2g6p3t4SrRniNyiZWJdcCB0c
5FdI0jjqNu9lngm5/ZH3jWZ3gZ+lM9l1cB8kgF56wfIrlHlisiQfR3xqbVMzMz/4
5uPb/X/zIwKBgQDKdkHYuNER9O4b1Sia0bOlMM+yKhrLWWhnXeYGo3usr8C5x7GG
Sqe3ghPT8+HDCNm/9Egebv9N2v1hprdToUe9POvQ4Kv+CeH/IDGMp9Qa0bFtv04c
je4ObNqYjcR1YQ0JDhg0hx8EH6fDp2+Fg2EbztkvyMUCn3+jaUf92gE39QKBgQDj
++s3J9dsHnBEXqAiVyDp0wjFwANCji0+CxXpdsilLzRcfmz56ibZxNUgZygWlYws
j9AwqqSKkWGN3mcGgz6hNSmLpGsjB+1kYAgTL44HeDLC8Q7hVboGpxSJn26U+Y+1
KA3Nrn4sxDk7cKEksatZsPQx4Ualv81FbzfVZz4niwKBgQCRsboJSnsbdTvwQZWo
Z4JTgA9qdZa7u2lkjf/hM0p+Y3jM3pzAwrqeKzz4fo4N4dERvKtIZLKXp65GqQki
j7VS3ckYD+9x8PChv8JuJoA88aLQ3Ec6QWPfJlFARf/tw1qFVffnj/GpEy5fkqkN
huqdaFh8VNlN17OPgktWB7kDjw==
-----END PRIVATE KEY-----
'),
('RSA, traditional', '-----BEGIN RSA PRIVATE KEY-----
MIIEpQIBAAKCAQEA2ypeHlhTPeIoloaYRNkyX7FnbWAsVmzhOVZIKn64cVg+xQAg
x1quOz1bGAJgoDNxXFvZf6hIAmNF+IISOBafS13w1md//orunJMpjIPs0D5cAnI9
8N16EIyIOdfT9q8qeo6Yxf/beCTDwb4zO2rZ1F1ScHYUKcRh15AXRdQ/nedBUBcW
AeIwRmpIhX98eUELQ8tPXjdWxz9/LiIzMbAFjU265+Z8/KhBa9jLySPNSYwGLqy5
CxnW2JubMhNBR1YUCBvTds1LE4Dsq2AeCDOXpi9gHnXto76GpVTdwXdkr/n6RFaL
z0YxOSbcsetZ7RYxhwuWWSt/9T4bqwpUztQT/QIDAQABAoIBAF2Gm/l5GbS70TRD
JbGjukJp00gylVkgR5CPSGaSAyWjUc4Buvs3sEhpa3k4coGK0mJmc89tQaV7Nb3R
y/KRfNLNuNvV+SHnqeG5Ty6+kY1gPyVwGQyzhsaPIgcFGlgX8hmwxnMgN0jy73K7
NuOxOlnMpUSGrx4Pxu0VeUj8RVWdMt9ecGgXRd5ex9cwJXl/grSJOM6tDW+VbEV7
DaYJ1s2xRjvOZC0S/7kV/Um4C9l2C0co9BeKlmxiJsvRsVvBH5l99G24RC0kaXrQ
hqf/CAhGFFSDcWdHlKlEY5PVAwVoBz5RIqE6AH8GEXbtWphQViK31AumSBfSl0PK
88IsqIUCgYEA8ys19SWWfYSmT2pXUb9ONAWwufts74PI8YOMdWipMotTztWYKCRS
eBf/umA0M+HYpqKcKrU3F6WZbTXyvkYlNOCGR/O/7Qk+F8mBhPTA0SiQf2OLhGMF
51YFHGxXpzlQafgRWjJnb6TG00kebxdUUoipHXtJ6HgwlKuwk7zGXl8CgYEA5rrp
+QvlyC4AXeyzyAj2hyEkcrHMCnVCne7p9n3Cy7nH3uYPiZ7nTcVWYxveSyxi0tOG
aoDrgdoOqd7eEq0Z4jcomViXXAgdHORXSNI46jbvZZ4Juf2R941md4GfpTPZdXAf
JIBeesHyK5R5YrIkH0d8am1TMzM/+Obj2/1/8yMCgYEAynZB2LjREfTuG9UomtGz
pTDPsioay1loZ13mBqN7rK/Aucexhkqnt4IT0/PhwwjZv/RIHm7/Tdr9Yaa3U6FH
vTzr0OCr/gnh/yAxjKfUGtGxbb9OHI3uDmzamI3EdWENCQ4YNIcfBB+nw6dvhYNh
G87ZL8jFAp9/o2lH/doBN/UCgYEA4/vrNyfXbB5wRF6gIlcg6dMIxcADQo4tPgsV
6XbIpS80XH5s+eom2cTVIGcoFpWMLI/QMKqkipFhjd5nBoM+oTUpi6RrIwftZGAI
Ey+OB3gywvEO4VW6BqcUiZ9ulPmPtSgNza5+LMQ5O3ChJLGrWbD0MeFGpb/NRW83
1Wc+J4sCgYEAkbG6CUp7G3U78EGVqGeCU4APanWWu7tpZI3/4TNKfmN4zN6cwMK6
nis8+H6ODeHREbyrSGSyl6euRqkJIo+1Ut3JGA/vcfDwob/CbiaAPPGi0NxHOkFj
3yZRQEX/7cNahVX354/xqRMuX5KpDYbqnWhYfFTZTdezj4JLVge5A48=
-----END RSA PRIVATE KEY-----
'),
('RSA, public', '-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA2ypeHlhTPeIoloaYRNky
X7FnbWAsVmzhOVZIKn64cVg+xQAgx1quOz1bGAJgoDNxXFvZf6hIAmNF+IISOBaf
S13w1md//orunJMpjIPs0D5cAnI98N16EIyIOdfT9q8qeo6Yxf/beCTDwb4zO2rZ
1F1ScHYUKcRh15AXRdQ/nedBUBcWAeIwRmpIhX98eUELQ8tPXjdWxz9/LiIzMbAF
jU265+Z8/KhBa9jLySPNSYwGLqy5CxnW2JubMhNBR1YUCBvTds1LE4Dsq2AeCDOX
pi9gHnXto76GpVTdwXdkr/n6RFaLz0YxOSbcsetZ7RYxhwuWWSt/9T4bqwpUztQT
/QIDAQAB
-----END PUBLIC KEY-----
'),
('EC, PKCS#8', '-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg6HWMwdf0EHQBfMPU
7Rr5nmiwH8pmElydTM2wfeX5UfuhRANCAASwcF7JSw30O0qB4KjxCwslUry8e1Zp
8HHw4SRk/opzfpc6RE0uane5Yx0JMucdfw4DMSwrTFkNqp6W2u5Msm/f
-----END PRIVATE KEY-----
'),
('EC, traditional', '-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIOh1jMHX9BB0AXzD1O0a+Z5osB/KZhJcnUzNsH3l+VH7oAoGCCqGSM49
AwEHoUQDQgAEsHBeyUsN9DtKgeCo8QsLJVK8vHtWafBx8OEkZP6Kc36XOkRNLmp3
uWMdCTLnHX8OAzEsK0xZDaqeltruTLJv3w==
-----END EC PRIVATE KEY-----
'),
('EC, public', '-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEsHBeyUsN9DtKgeCo8QsLJVK8vHtW
afBx8OEkZP6Kc36XOkRNLmp3uWMdCTLnHX8OAzEsK0xZDaqeltruTLJv3w==
-----END PUBLIC KEY-----
'),
('EC other', '-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg9RGmYla1VyOhaYy3
Fs8pNt0Q0FX5vl1Dsou74awyXrChRANCAATX5c99TG9bfiMBlnp1dzgUQpc0eY9b
ebPtMj+eM38Vs8XL+Il2d7p2XES2rG+boVqmWflecM0VMR76a6WMknMM
-----END PRIVATE KEY-----
'),
('Ed25519, private', '-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJWR7b3nkDNQByA7UusQLnEsMcMrYLDcRcTAzTBE0DMx
-----END PRIVATE KEY-----
'),
('Ed25519, public', '-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAVo++jNx5fnE95MxCJJoDtAmtu3LdX/H0vlRyr5wIp8s=
-----END PUBLIC KEY-----
'),
('EC, encrypted', '-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhcN2qYPKzZVwICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEEAWAlsR+14N4EKrw+DKE3EEgZDZ
j8stqh5nuhyrIVtV6JPnI77GEbTrlbYTAr0S1L83/nsPrhSFRHE1K3IXKC3A9lQ5
LFeHg6MW2ZNQ1sMFUcBNvI5bxIFbi8GbiNH1BCuMJJK4T9sOwMTc1/GbMYkZhNbo
Z79Chu+8qh08kn+n8B4i3AXKuNGKyI9mtnzlXF8fSqJaLL1YORvQ0TieO+gdHo4=
-----END ENCRYPTED PRIVATE KEY-----
'),
('EC, traditional encrypted', '-----BEGIN EC PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: AES-256-CBC,3BC8DE5BC507243A9D6CAC683F1A56F5

LMNLVkBalnifnUqvXRFG6S8lnsw1m8diK93dViFDb3d9ydyM5Wq47dJ/tKVrX0F9
/1aaidVhKDq1B07hahdBHKjUyrvdXlu5F3WTLenY5HVJeB+nCXncT5H29k1QQf2t
K1xllbPzFfQxTZW33aEZXM6kltEQKFJJwkbnfv2UoLc=
-----END EC PRIVATE KEY-----
'),
('EC P-384', '-----BEGIN PRIVATE KEY-----
MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDA0b+cq1wbXovmhEk6v
cV5eFrz/yDUAARSJD+oHlfi7ukF0mkye973SFlfcDneRVpqhZANiAASUmgZDAmKn
bqDuP1IWPm0Zfr387d+fitukZfoSSEpev/HS9YhkF1TK7PTjv5SJ7OAgTIPb9rBR
4GplWlP7Z2+iFwzZIEXOKaux5pFdYz8aBH4NnUEbBTLS5xGirP5BvdU=
-----END PRIVATE KEY-----
'),
('EC secp256k1', '-----BEGIN PRIVATE KEY-----
MIGEAgEAMBAGByqGSM49AgEGBSuBBAAKBG0wawIBAQQgDz04M5TxFW0YMYJsnvec
AQjXxTLj9ublCKn6ZXVyE/KhRANCAASmkbeQrOJW3SL/6T6yertt0wUS+DBR9ps5
dOEndgy2BjXbWZZiDDgvFP3b497raQ0E06lw+jkYx6HuczNA7PN6
-----END PRIVATE KEY-----
'),
('Ed448', '-----BEGIN PRIVATE KEY-----
MEcCAQAwBQYDK2VxBDsEOadQj9BHvhZqn7Qy24uzBYdKb79TZBS+Gw4ps0VP1biU
+RwmmAHc1cGk0eKtTn/bbPJCHkcLmP5OlA==
-----END PRIVATE KEY-----
'),
('X25519', '-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VuBCIEIDj0iW0P1+Bt7msTUxK1prFNHzTo0Lfw5xnNwLt3H69I
-----END PRIVATE KEY-----
'),
('RSA 1024', '-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCV/YWxNHZeLB9vcx6GY7sXeqyb
Tgb+0NrwKJv4TOJxAf6gwB35/vNFcgRmdhj9Sr32opjrs6+KvW/x3s5Tmlbf4cwc
2bDfbyeUmTd9dNMmHh6VEzZram5jUPqStFyku5xMgu+W4r7OLtUEk+zeV2AW++xG
E7ZP1r0tHZ6/JgmV4wIDAQAB
-----END PUBLIC KEY-----
'),
('RSA-PSS, public', '-----BEGIN PUBLIC KEY-----
MIIBIDALBgkqhkiG9w0BAQoDggEPADCCAQoCggEBAKs7uZKJqvUM5PZD1S97v9zQ
iOkHu43GGWjqqxZIdFSvg7S3SgO5ZxzxyKa5Zwj9K88EhklIy8dNUIX4XQh4jOCL
fojtk41yaGgIP4ASPk4UFTsTbtPhGGEyEn1tOxpmEMHD74LdtXU5q8uATz/r7Czg
MEKobT83HlBpB6tXTIXFDAB9RvFcMMAVCwBaRvob9WQFlvOiLpYjsN9vXB0ysINu
JS/vUGBSNAnp/Efg00esz/udFgDqRJb4VnXp3OibcDpbGt8r0/jH8mKuwBWlrgnr
6zD6ILEteXJGwpvwfCNuSznvk1nUcdUzLLZUSE0SFVPS/13ZvxBBG30mheCXcX0C
AwEAAQ==
-----END PUBLIC KEY-----
'),
('EC parameters', '-----BEGIN EC PARAMETERS-----
BggqhkjOPQMBBw==
-----END EC PARAMETERS-----
'),
('certificate', '-----BEGIN CERTIFICATE-----
MIIBdDCCARugAwIBAgIUNdjonNSD7h3R45pWN1KTdrCd/I0wCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjIxOTAyMTZaGA8yMTI2MTAyOTE5MDIx
NlowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABLBw
XslLDfQ7SoHgqPELCyVSvLx7VmnwcfDhJGT+inN+lzpETS5qd7ljHQky5x1/DgMx
LCtMWQ2qnpba7kyyb9+jUzBRMB0GA1UdDgQWBBTXqPUgXPTIaUovd30liRE+1qJy
kDAfBgNVHSMEGDAWgBTXqPUgXPTIaUovd30liRE+1qJykDAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0cAMEQCIEXQzdInLr6SOCiduNBZG6N5lFHaL9WToqLH
TTSD007uAiBtv/5m+FyAUl/tappBuUtUQtj8vc7OLutQSdNZeiqAWQ==
-----END CERTIFICATE-----
'),
('EC, halves of two keys', '-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIOh1jMHX9BB0AXzD1O0a+Z5osB/KZhJcnUzNsH3l+VH7oAoGCCqGSM49
AwEHoUQDQgAE1+XPfUxvW34jAZZ6dXc4FEKXNHmPW3mz7TI/njN/FbPFy/iJdne6
dlxEtqxvm6Fapln5XnDNFTEe+muljJJzDA==
-----END EC PRIVATE KEY-----
');

CREATE FUNCTION pg_temp.ring(VARIADIC keys jsonb[]) RETURNS text
LANGUAGE sql AS $$
    SELECT jsonb_build_object('keys', to_jsonb(keys) || CASE
               WHEN EXISTS (SELECT FROM unnest(keys) AS k WHERE k ->> 'vidtoken_use' = 'name') THEN '[]'
               ELSE jsonb_build_array(jsonb_build_object(
                   'kty', 'oct', 'kid', 'name', 'alg', 'HS256', 'vidtoken_use', 'name',
                   'k', pg_temp.b64('test secret of the name key, only'))) END)::text
$$;

-- all that was said, and to whom a key must not be shown
CREATE TEMP TABLE told (message text);
-- Puts a keyring in force and says what becomes of its key K: why it is
-- refused, or whether it signs and what is said of the foreign token.  Of
-- two paths each is a new one to the session.
CREATE SEQUENCE pg_temp.ring_number;
CREATE FUNCTION pg_temp.outcome(content text, token text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    path text := pg_temp.path('_' || nextval('pg_temp.ring_number') % 2);
    answer text;
    hint text;
    own text;
    opinion text;
BEGIN
    PERFORM pg_temp.shell(format('base64 -d > %s', quote_literal(path)), content);
    PERFORM set_config('vidtoken.keyring', path, true);
    WITH rows AS MATERIALIZED (SELECT * FROM vidtoken.vidtoken_check()),
         kept AS (INSERT INTO told SELECT concat_ws(' ', r.message, r.hint) FROM rows AS r)
    SELECT replace(replace(rtrim(r.message, '.'),
                           format('could not use the keyring of setting "vidtoken.keyring": File "%s": ', path), ''),
                   pg_temp.path('_pem'), 'PEM')
      INTO answer FROM rows AS r WHERE item = 'keyring' AND status = 'error';
    IF answer IS NOT NULL THEN
        RETURN answer;
    END IF;

    BEGIN
        own := vidtoken.vidtoken_sign('{"exp": 1893456000}', 'K');
        answer := 'signs';
    EXCEPTION WHEN SQLSTATE 'F0000' THEN
        GET STACKED DIAGNOSTICS answer = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
        INSERT INTO told VALUES (concat_ws(' ', answer, hint));
        answer := replace(answer, 'key "K" ', '');
    END;
    opinion := (SELECT COALESCE(v.reason, 'verifies') FROM vidtoken.vidtoken_verify(token) AS v);
    IF own IS NOT NULL AND
       (SELECT COALESCE(v.reason, 'verifies') FROM vidtoken.vidtoken_verify(own) AS v)
       <> (CASE opinion WHEN 'unknown_key' THEN opinion ELSE 'verifies' END) THEN
        opinion := opinion || ', but not its own';
    END IF;
    RETURN concat_ws(', ', answer, opinion);
END;
$$;

--
-- Keys as numbers
--

-- "base" with other members, without some, or spelled in another way
CREATE TEMP TABLE cases (n integer GENERATED ALWAYS AS IDENTITY, name text, base text,
                         change jsonb DEFAULT '{}', remove text[] DEFAULT '{}', expected text,
                         spelling text, as_spelling text);
CREATE FUNCTION pg_temp.outcome(c cases) RETURNS text
LANGUAGE sql AS $$
    SELECT pg_temp.outcome(COALESCE(replace(ring, c.spelling, c.as_spelling), ring), m.token)
      FROM material AS m, pg_temp.ring((m.jwk || c.change) - c.remove) AS ring WHERE m.name = c.base
$$;
CREATE FUNCTION pg_temp.number_of(base text, member text) RETURNS bytea
LANGUAGE sql AS $$
    SELECT pg_temp.octets(jwk ->> member) FROM material WHERE name = base
$$;
CREATE FUNCTION pg_temp.other(base text, VARIADIC members text[]) RETURNS jsonb
LANGUAGE sql AS $$
    SELECT jsonb_object_agg(m, jwk -> m) FROM others, unnest(members) AS m WHERE name = base
$$;
CREATE FUNCTION pg_temp.of_bytes(member text, octets bytea) RETURNS jsonb
LANGUAGE sql AS $$
    SELECT jsonb_build_object(member, pg_temp.b64(octets))
$$;

-- as they are, and their public parts alone
INSERT INTO cases (name, base, expected)
SELECT name, name, CASE WHEN name LIKE 'RSA %' THEN 'cannot sign, verifies' ELSE 'signs, verifies' END FROM material ORDER BY name COLLATE "C";
INSERT INTO cases (name, base, remove, expected) VALUES
('RS256, public', 'RS256', '{d,p,q,dp,dq,qi}', 'cannot sign, verifies'),
('ES256, public', 'ES256', '{d}', 'cannot sign, verifies'),
('EdDSA, public', 'EdDSA', '{d}', 'cannot sign, verifies');

-- secrets
INSERT INTO cases (name, base, change, expected)
SELECT format('%s, %s bytes', alg, length), alg, pg_temp.of_bytes('k', convert_to(repeat('x', length), 'UTF8')),
       CASE WHEN length >= minimum THEN 'signs, bad_signature'
            ELSE format('key "K": %s needs a secret of at least %s bytes (livekit-server --dev has one of 6: set your own)', alg, minimum) END
  FROM (VALUES ('HS256', 32), ('HS384', 48), ('HS512', 64)) AS m (alg, minimum),
       unnest(ARRAY[0, 6, minimum - 1, minimum, minimum + 1, 4096]) AS length;
INSERT INTO cases (name, base, change, expected)
SELECT 'HS256, k ' || what, 'HS256', jsonb_build_object('k', k), 'key "K": k is not base64url without padding'
  FROM (SELECT jwk ->> 'k' AS right FROM material WHERE name = 'HS256') AS m,
       LATERAL (VALUES ('with padding', m.right || '='), ('with a blank before it', ' ' || m.right), ('with an impossible length', m.right || 'AA'),
                       ('with bits that no byte holds', left(m.right, -1) || 'd'),
                       ('with + and /', '+/' || substr(m.right, 3)), ('with a letter of another alphabet', 'é' || substr(m.right, 3))
       ) AS v (what, k);
INSERT INTO cases (name, base, spelling, as_spelling, expected) VALUES
('HS256, k with a line feed', 'HS256', '"Y2Fu', '"\nY2Fu', 'key "K": k is not a plain string'),
('HS256, k with an escape', 'HS256', '"Y2Fu', '"\u00592Fu', 'key "K": k is not a plain string'),
('HS256, kid with an escape', 'HS256', '"K"', '"\u004b"', 'signs, verifies');

-- RSA: RFC 7518, sections 3.3 and 6.3
INSERT INTO cases (name, base, change, remove, expected)
SELECT 'RSA, n of ' || what, 'RS256', pg_temp.of_bytes('n', decode(n, 'hex')), '{d,p,q,dp,dq,qi}', expected
  FROM (VALUES
('1024 bits', repeat('ff', 128), 'key "K": RSA keys must have 2048 to 8192 bits'),
('2040 bits', repeat('ff', 255), 'key "K": RSA keys must have 2048 to 8192 bits'),
('2047 bits', '7f' || repeat('ff', 255), 'key "K": RSA keys must have 2048 to 8192 bits'),
('2048 bits', repeat('ff', 256), 'cannot sign, bad_signature'),
('2049 bits', '01' || repeat('ff', 256), 'cannot sign, bad_signature'),
('3072 bits', repeat('ff', 384), 'cannot sign, bad_signature'),
('8192 bits', repeat('ff', 1024), 'cannot sign, bad_signature'),
('8193 bits', '01' || repeat('ff', 1024), 'key "K": RSA keys of more than 8192 bits are not supported'),
('8200 bits', repeat('ff', 1025), 'key "K": RSA keys of more than 8192 bits are not supported'),
('16384 bits', repeat('ff', 2048), 'key "K": RSA keys of more than 8192 bits are not supported'),
('no bits', '', 'key "K": a number is zero or has leading zeros'),
('zero', '00', 'key "K": a number is zero or has leading zeros')
  ) AS v (what, n, expected);
INSERT INTO cases (name, base, change, remove, expected)
SELECT 'RSA, e = ' || what, 'RS256', pg_temp.of_bytes('e', decode(e, 'hex')), '{d,p,q,dp,dq,qi}', expected
  FROM (VALUES
('1', '01', 'key "K": e must be odd, at least 3 and at most 64 bits long'),
('2', '02', 'key "K": e must be odd, at least 3 and at most 64 bits long'),
('3', '03', 'cannot sign, bad_signature'),
('65536', '010000', 'key "K": e must be odd, at least 3 and at most 64 bits long'),
('65537', '010001', 'cannot sign, verifies'),
('2^64 - 1', 'ffffffffffffffff', 'cannot sign, bad_signature'),
('2^64 + 1', '010000000000000001', 'key "K": e must be odd, at least 3 and at most 64 bits long'),
('2^2040 + 1', '01' || repeat('00', 254) || '01', 'key "K": e must be odd, at least 3 and at most 64 bits long'),
('0', '00', 'key "K": a number is zero or has leading zeros'),
('3 with a leading zero', '0003', 'key "K": a number is zero or has leading zeros')
  ) AS v (what, e, expected);
INSERT INTO cases (name, base, change, expected)
SELECT format('RSA, %s with a leading zero', member), 'RS256',
       pg_temp.of_bytes(member, '\x00'::bytea || pg_temp.number_of('RS256', member)), 'key "K": a number is zero or has leading zeros'
  FROM unnest('{n,d,p,q,dp,dq,qi}'::text[]) AS member;
INSERT INTO cases (name, base, change, expected)
SELECT format('RSA, %s of another key', member), 'RS256', pg_temp.other('RS256', member),
       'key "K": its public and private parts do not belong together'
  FROM unnest('{d,p,q,dp,dq,qi}'::text[]) AS member;
-- such a d is refused by OpenSSL 3.5 already, in words of its own
WITH rsa AS (
    SELECT member, pg_temp.number(pg_temp.number_of('RS256', member)) AS value
      FROM unnest('{p,q,dp,dq,qi}'::text[]) AS member
), prime AS (
    SELECT max(value) FILTER (WHERE member = 'p') AS p, max(value) FILTER (WHERE member = 'q') AS q FROM rsa
)
INSERT INTO cases (name, base, change, expected)
SELECT format('RSA, %s that is as good and larger than its modulus', member), 'RS256',
       pg_temp.of_bytes(member, substr(octets, 1 + (get_byte(octets, 0) = 0)::integer)),
       'key "K": its public and private parts do not belong together'
  FROM rsa, prime,
       pg_temp.octets(value + CASE member WHEN 'dp' THEN p - 1 WHEN 'dq' THEN q - 1 ELSE p END, 129) AS octets
 WHERE member NOT IN ('p', 'q')
 ORDER BY member;
INSERT INTO cases (name, base, change, remove, expected) VALUES
('RSA, all private numbers of another key', 'RS256', pg_temp.other('RS256', 'd', 'p', 'q', 'dp', 'dq', 'qi'), '{}',
 'key "K": its public and private parts do not belong together'),
('RSA, e of another key', 'RS256', '{"e": "Aw"}', '{}', 'key "K": its public and private parts do not belong together'),
('RSA, d and nothing else', 'RS256', '{}', '{p,q,dp,dq,qi}', 'key "K": it has some of the private numbers and lacks others'),
('RSA, p and q alone', 'RS256', '{}', '{d,dp,dq,qi}', 'key "K": it has some of the private numbers and lacks others'),
('RSA, a third prime', 'RS256', '{"oth": [{"r": "Aw", "d": "Aw", "t": "Aw"}]}', '{}', 'key "K": RSA keys of more than two primes are not supported'),
('RSA, oth empty', 'RS256', '{"oth": []}', '{}', 'key "K": RSA keys of more than two primes are not supported'),
('RSA, public and oth', 'RS256', '{"oth": []}', '{d,p,q,dp,dq,qi}', 'key "K": RSA keys of more than two primes are not supported');

-- P-256: RFC 7518, sections 3.4 and 6.2
INSERT INTO cases (name, base, change, remove, expected) VALUES
('P-256, y of another point', 'ES256', pg_temp.other('ES256', 'y'), '{d}', 'key "K": its numbers make no key'),
('P-256, private, y of another point', 'ES256', pg_temp.other('ES256', 'y'), '{}', 'key "K": its numbers make no key'),
('P-256, another point', 'ES256', pg_temp.other('ES256', 'x', 'y'), '{d}', 'cannot sign, bad_signature'),
('P-256, the point 0, 0', 'ES256', pg_temp.of_bytes('x', decode(repeat('00', 32), 'hex')) || pg_temp.of_bytes('y', decode(repeat('00', 32), 'hex')),
 '{d}', 'key "K": its numbers make no key'),
('P-256, the point at x = 0', 'ES256', pg_temp.of_bytes('x', decode(repeat('00', 32), 'hex')) || pg_temp.of_bytes('y', '\x66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4'),
 '{d}', 'cannot sign, bad_signature'),
('P-256, the same point with x beyond the field', 'ES256',
 pg_temp.of_bytes('x', '\xffffffff00000001000000000000000000000000ffffffffffffffffffffffff') || pg_temp.of_bytes('y', '\x66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4'),
 '{d}', 'key "K": its numbers make no key'),
('P-256, d of another key', 'ES256', pg_temp.other('ES256', 'd'), '{}', 'key "K": its public and private parts do not belong together'),
('P-256, d = 0', 'ES256', pg_temp.of_bytes('d', decode(repeat('00', 32), 'hex')), '{}', 'key "K": its public and private parts do not belong together'),
('P-256, d = 1', 'ES256', pg_temp.of_bytes('d', decode(repeat('00', 31) || '01', 'hex')), '{}', 'key "K": its public and private parts do not belong together'),
('P-256, d = the order of the group', 'ES256',
 pg_temp.of_bytes('d', '\xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551'), '{}', 'key "K": its public and private parts do not belong together');
INSERT INTO cases (name, base, change, expected)
SELECT format('P-256, %s of %s bytes', member, length(octets)), 'ES256', pg_temp.of_bytes(member, octets), 'key "K": x, y and d of P-256 have 32 bytes each'
  FROM unnest('{x,y,d}'::text[]) AS member, pg_temp.number_of('ES256', member) AS right_one,
       LATERAL (VALUES (substring(right_one FROM 2)), ('\x00'::bytea || right_one), (right_one || '\x00'::bytea), (''::bytea)) AS v (octets);

-- Ed25519: RFC 8037; the y coordinates of all points of small order
INSERT INTO cases (name, base, change, expected)
SELECT format('Ed25519, %s of %s bytes', member, length(octets)), 'EdDSA', pg_temp.of_bytes(member, octets), 'key "K": x and d of Ed25519 have 32 bytes each'
  FROM unnest('{x,d}'::text[]) AS member, pg_temp.number_of('EdDSA', member) AS right_one,
       LATERAL (VALUES (substring(right_one FROM 2)), ('\x00'::bytea || right_one), (right_one || right_one), (''::bytea)) AS v (octets);
INSERT INTO cases (name, base, change, remove, expected) VALUES
('Ed25519, x of another key', 'EdDSA', pg_temp.other('EdDSA', 'x'), '{}', 'key "K": its public and private parts do not belong together'),
('Ed25519, d of another key', 'EdDSA', pg_temp.other('EdDSA', 'd'), '{}', 'key "K": its public and private parts do not belong together'),
('Ed25519, x with the other sign', 'EdDSA', pg_temp.of_bytes('x', set_byte(pg_temp.number_of('EdDSA', 'x'), 31, get_byte(pg_temp.number_of('EdDSA', 'x'), 31) # 128)), '{}',
 'key "K": its public and private parts do not belong together'),
('Ed25519, another point', 'EdDSA', pg_temp.other('EdDSA', 'x'), '{d}', 'cannot sign, bad_signature');
INSERT INTO cases (name, base, change, remove, expected)
SELECT format('Ed25519, small order: %s...%s', left(y, 4), right(y, 4)), 'EdDSA', pg_temp.of_bytes('x', decode(y, 'hex')), '{d}', 'key "K": its point has a small order'
  FROM (VALUES
    ('0000000000000000000000000000000000000000000000000000000000000000'),
    ('0100000000000000000000000000000000000000000000000000000000000000'),
    ('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'),
    ('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'),
    ('ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'),
    ('edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'),
    ('eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f')
  ) AS v (positive), LATERAL (VALUES (positive), (encode(set_byte(decode(positive, 'hex'), 31, get_byte(decode(positive, 'hex'), 31) | 128), 'hex'))) AS w (y);

-- every kty, alg and crv with every key
INSERT INTO cases (name, base, change, expected)
SELECT format('%s, kty %s', name, kty), name, jsonb_build_object('kty', kty),
       CASE WHEN kty = jwk ->> 'kty' THEN 'signs, verifies' ELSE format('key "K": kty must be "%s" for alg %s', jwk ->> 'kty', name) END
  FROM material, unnest('{oct,RSA,EC,OKP,OCT,rsa,AKP}'::text[]) AS kty
 WHERE name IN ('HS256', 'HS384', 'HS512', 'RS256', 'ES256', 'EdDSA') ORDER BY name COLLATE "C", kty COLLATE "C";
INSERT INTO cases (name, base, change, expected)
SELECT format('a key for %s, alg %s', m.name, o.name), m.name, jsonb_build_object('alg', o.name),
       CASE WHEN m.name = o.name THEN 'signs, verifies'
            WHEN m.jwk ->> 'kty' <> o.jwk ->> 'kty' THEN format('key "K": kty must be "%s" for alg %s', o.jwk ->> 'kty', o.name)
            WHEN m.name < o.name THEN format('key "K": %s needs a secret of at least %s bytes (livekit-server --dev has one of 6: set your own)',
                                             o.name, substr(o.name, 3)::integer / 8)
            ELSE 'signs, wrong_algorithm' END
  FROM material AS m, material AS o WHERE m.name !~ 'RSA' AND o.name !~ 'RSA' ORDER BY m.name COLLATE "C", o.name COLLATE "C";
INSERT INTO cases (name, base, change, expected)
SELECT format('%s, crv %s', name, crv), name, jsonb_build_object('crv', crv),
       CASE WHEN COALESCE(jwk ->> 'crv', crv) = crv THEN 'signs, verifies' ELSE format('key "K": crv must be "%s" for alg %s', jwk ->> 'crv', name) END
  FROM material, unnest('{P-256,P-384,P-521,secp256k1,Ed25519,Ed448,X25519,p-256,ED25519}'::text[]) AS crv
 WHERE name IN ('HS256', 'RS256', 'ES256', 'EdDSA') ORDER BY name COLLATE "C", crv COLLATE "C";
INSERT INTO cases (name, base, change, expected)
SELECT format('%s, alg %s', base, alg), base, jsonb_build_object('alg', alg),
       'key "K": alg is none of those supported: HS256, HS384, HS512, RS256, ES256, EdDSA'
  FROM (VALUES ('HS256', '"hs256"'::jsonb), ('HS256', '"HS224"'), ('HS256', '"HS2560"'), ('HS256', '"HS256 "'),
               ('HS256', '"none"'), ('HS256', '"None"'), ('HS256', '"NONE"'), ('HS256', '""'), ('HS256', '"A256KW"'), ('HS256', '"dir"'),
               ('HS256', '["HS256"]'), ('HS256', '{"HS256": 1}'), ('HS256', 'true'),
               ('RS256', '"rs256"'), ('RS256', '"RS384"'), ('RS256', '"RS512"'), ('RS256', '"PS256"'), ('RS256', '"PS384"'), ('RS256', '"PS512"'),
               ('RS256', '"RS1"'), ('RS256', '"RSA-OAEP"'), ('RS256', '"none"'),
               ('ES256', '"es256"'), ('ES256', '"ES384"'), ('ES256', '"ES512"'), ('ES256', '"ES256K"'), ('ES256', '"ECDH-ES"'), ('ES256', '"none"'),
               ('EdDSA', '"eddsa"'), ('EdDSA', '"EDDSA"'), ('EdDSA', '"Ed25519"'), ('EdDSA', '"Ed448"'), ('EdDSA', '"none"')) AS v (base, alg);

-- RFC 7517, sections 4.2 and 4.3
INSERT INTO cases (name, base, change, expected)
SELECT format('%s, use %s', base, use), base, jsonb_build_object('use', use),
       CASE WHEN use = '"sig"' THEN 'signs, verifies' ELSE 'key "K": use is not "sig"' END
  FROM unnest('{HS256,RS256,ES256,EdDSA}'::text[]) AS base,
       unnest(ARRAY['"sig"', '"enc"', '"SIG"', '""', '["sig"]', '1', 'null']::jsonb[]) AS use;
INSERT INTO cases (name, base, change, remove, expected)
SELECT format('%s%s, key_ops %s', base, CASE WHEN is_public THEN ', public' END, ops), base, jsonb_build_object('key_ops', ops),
       CASE WHEN is_public THEN '{d}'::text[] ELSE '{}' END, CASE WHEN is_public THEN of_public ELSE of_private END
  FROM (VALUES
('["sign", "verify"]'::jsonb, 'signs, verifies', 'cannot sign, verifies'),
('["verify", "sign", "deriveKey", 7, null]', 'signs, verifies', 'cannot sign, verifies'),
('["verify"]', 'cannot sign, verifies', 'cannot sign, verifies'),
('["sign"]', 'signs, unknown_key', 'key "K": key_ops allows nothing that the key can do'),
('[]', 'key "K": key_ops allows nothing that the key can do', 'key "K": key_ops allows nothing that the key can do'),
('["wrapKey"]', 'key "K": key_ops allows nothing that the key can do', 'key "K": key_ops allows nothing that the key can do'),
('["Sign", "VERIFY"]', 'key "K": key_ops allows nothing that the key can do', 'key "K": key_ops allows nothing that the key can do'),
('[["sign"]]', 'key "K": key_ops allows nothing that the key can do', 'key "K": key_ops allows nothing that the key can do'),
('"sign"', 'key "K": key_ops is not an array', 'key "K": key_ops is not an array'),
('{"sign": true}', 'key "K": key_ops is not an array', 'key "K": key_ops is not an array'),
('null', 'key "K": key_ops is not an array', 'key "K": key_ops is not an array')
  ) AS v (ops, of_private, of_public),
       (VALUES ('HS256', false), ('RS256', false), ('ES256', false), ('EdDSA', false), ('ES256', true), ('EdDSA', true)) AS b (base, is_public);
INSERT INTO cases (name, base, change, expected) VALUES
('use and key_ops', 'ES256', '{"use": "sig", "key_ops": ["verify"]}', 'cannot sign, verifies'),
('use against key_ops', 'ES256', '{"use": "enc", "key_ops": ["sign", "verify"]}', 'key "K": use is not "sig"');

-- vidtoken_use and provider
INSERT INTO cases (name, base, change, expected)
SELECT format('%s, vidtoken_use %s', name, use), name, jsonb_build_object('vidtoken_use', use),
       CASE WHEN use = 'token' THEN 'signs, verifies'
            WHEN use IN ('name', 'turn') AND jwk ->> 'kty' <> 'oct' THEN format('key "K": vidtoken_use "%s" needs a secret, kty "oct"', use)
            ELSE 'is not in the keyring, unknown_key' END
  FROM material, unnest('{token,webhook,turn,name}'::text[]) AS use WHERE name !~ 'RSA' ORDER BY name COLLATE "C", use COLLATE "C";
INSERT INTO cases (name, base, change, expected)
SELECT format('vidtoken_use %s', use), 'HS256', jsonb_build_object('vidtoken_use', use), 'key "K": vidtoken_use is none of token, webhook, turn and name'
  FROM unnest(ARRAY['"Token"', '""', '"sig"', '["token"]', '1', 'null']::jsonb[]) AS use;
INSERT INTO cases (name, base, change, expected) VALUES
('HS1, of Twilio''s webhooks', 'HS256', '{"alg": "HS1", "vidtoken_use": "webhook", "provider": "twilio"}', 'is not in the keyring, unknown_key'),
('HS1, a secret of 20 bytes', 'HS256', '{"alg": "HS1", "vidtoken_use": "webhook"}' || pg_temp.of_bytes('k', 'canary-of-20-bytes!!'::bytea), 'is not in the keyring, unknown_key'),
('HS1, a secret of 19 bytes', 'HS256', '{"alg": "HS1", "vidtoken_use": "webhook"}' || pg_temp.of_bytes('k', 'canary-of-19-bytes!'::bytea), 'key "K": HS1 needs a secret of at least 20 bytes'),
('HS1, a secret of one byte', 'HS256', '{"alg": "HS1", "vidtoken_use": "webhook", "k": "YQ"}', 'key "K": HS1 needs a secret of at least 20 bytes'),
('HS1, an empty secret', 'HS256', '{"alg": "HS1", "vidtoken_use": "webhook", "k": ""}', 'key "K": HS1 needs a secret of at least 20 bytes'),
('HS1 without vidtoken_use', 'HS256', '{"alg": "HS1"}', 'key "K": alg HS1 is for vidtoken_use "webhook" alone'),
('HS1 for vidtoken_use token', 'HS256', '{"alg": "HS1", "vidtoken_use": "token"}', 'key "K": alg HS1 is for vidtoken_use "webhook" alone'),
('HS1 for vidtoken_use turn', 'HS256', '{"alg": "HS1", "vidtoken_use": "turn"}', 'key "K": alg HS1 is for vidtoken_use "webhook" alone'),
('HS1 for vidtoken_use name', 'HS256', '{"alg": "HS1", "vidtoken_use": "name"}', 'key "K": alg HS1 is for vidtoken_use "webhook" alone'),
('HS1 with an RSA key', 'RS256', '{"alg": "HS1", "vidtoken_use": "webhook"}', 'key "K": kty must be "oct" for alg HS1'),
('hs1', 'HS256', '{"alg": "hs1", "vidtoken_use": "webhook"}', 'key "K": alg is none of those supported: HS256, HS384, HS512, RS256, ES256, EdDSA'),
('a name key that may not sign', 'HS256', '{"vidtoken_use": "name", "key_ops": ["verify"]}', 'key "K": key_ops does not hold "sign"'),
('a name key that may', 'HS256', '{"vidtoken_use": "name", "key_ops": ["sign"]}', 'is not in the keyring, unknown_key'),
('a provider of its own', 'HS256', '{"provider": "zoom"}', 'signs, verifies'),
('provider 1', 'HS256', '{"provider": 1}', 'key "K": provider is not a string'),
('provider null', 'HS256', '{"provider": null}', 'key "K": provider is not a string'),
('kid of 256 bytes', 'HS256', jsonb_build_object('kid', repeat('é', 128)), 'is not in the keyring, unknown_key'),
('kid of 258 bytes', 'HS256', jsonb_build_object('kid', repeat('é', 129)), 'a key has no kid of 1 to 256 bytes'),
('kid empty', 'HS256', '{"kid": ""}', 'a key has no kid of 1 to 256 bytes');

-- every member of every key: missing, and of another type
INSERT INTO cases (name, base, remove, expected)
SELECT format('%s without %s', name, member), name, ARRAY[member],
       CASE WHEN member = 'kid' THEN 'a key has no kid of 1 to 256 bytes'
            WHEN member = 'alg' THEN 'key "K": alg is none of those supported: HS256, HS384, HS512, RS256, ES256, EdDSA'
            WHEN member IN ('kty', 'crv') THEN format('key "K": %s must be "%s" for alg %s', member, jwk ->> member, name)
            WHEN member IN ('k', 'n', 'e', 'x', 'y') THEN format('key "K": it has no %s', member)
            WHEN name = 'RS256' THEN 'key "K": it has some of the private numbers and lacks others'
            ELSE 'cannot sign, verifies' END
  FROM material, jsonb_object_keys(jwk) AS member
 WHERE name IN ('HS256', 'RS256', 'ES256', 'EdDSA') ORDER BY name COLLATE "C", member COLLATE "C";
INSERT INTO cases (name, base, change, expected)
SELECT format('%s, %s %s', name, member, v), name, jsonb_build_object(member, v),
       CASE WHEN member = 'kid' THEN 'a key has no kid of 1 to 256 bytes'
            WHEN member = 'alg' THEN 'key "K": alg is none of those supported: HS256, HS384, HS512, RS256, ES256, EdDSA'
            WHEN member IN ('kty', 'crv') THEN format('key "K": %s must be "%s" for alg %s', member, jwk ->> member, name)
            ELSE format('key "K": %s is not a plain string', member) END
  FROM material, jsonb_object_keys(jwk) AS member, unnest(ARRAY['1', 'null']::jsonb[]) AS v
 WHERE name IN ('HS256', 'RS256', 'ES256', 'EdDSA') ORDER BY name COLLATE "C", member COLLATE "C", v;

-- RFC 7517, section 4: members that are not known are ignored; those of
-- another kty are not known to this one
INSERT INTO cases (name, base, change, expected)
SELECT base || ' with members that are not known', base, change || '{"ext": true, "iat": 1772449200, "x5t": "AA", "": null, "nested": {"k": [1]}}', 'signs, verifies'
  FROM (VALUES ('HS256', '{"n": 1, "e": null, "d": "AQ", "x": "AQ", "y": [], "crv": "P-256"}'::jsonb),
               ('RS256', '{"k": "AQ", "x": 1, "y": null, "crv": "P-256"}'),
               ('ES256', '{"k": "AQ", "n": 1, "e": null, "p": "AQ"}'),
               ('EdDSA', '{"k": "AQ", "n": 1, "y": "AQ", "p": null}')) AS v (base, change);
INSERT INTO cases (name, base, change, expected)
SELECT base || ' with oth, which is RSA''s', base, '{"oth": []}', 'signs, verifies' FROM unnest('{HS256,ES256,EdDSA}'::text[]) AS base;

--
-- Keys in PEM files
--

-- PEM in "prepare" stands for the path; what to write comes as base64
CREATE TEMP TABLE pem_cases (n integer GENERATED ALWAYS AS IDENTITY, name text, base text, content text,
                             members jsonb, expected text, prepare text DEFAULT 'base64 -d > PEM');
CREATE FUNCTION pg_temp.outcome(c pem_cases) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_temp.shell(replace('rm -rf PEM PEM.*; ' || c.prepare, 'PEM', quote_literal(pg_temp.path('_pem'))), c.content);
    RETURN (SELECT pg_temp.outcome(pg_temp.ring(jsonb_build_object('kid', 'K', 'alg', c.base, 'pem_file', pg_temp.path('_pem')) || c.members), m.token)
              FROM material AS m WHERE m.name = c.base);
END;
$$;
CREATE FUNCTION pg_temp.pem(VARIADIC names text[]) RETURNS text
LANGUAGE sql AS $$
    SELECT string_agg(content, '' ORDER BY i) FROM unnest(names) WITH ORDINALITY AS n (name, i) JOIN pem USING (name)
$$;

INSERT INTO pem_cases (name, base, content, members, expected)
SELECT format('PEM: %s for %s', name, base), base, content, '{}',
       CASE WHEN name ~ 'encrypted|parameters|certificate' THEN 'key "K": pem_file holds no key, or one with a passphrase'
            WHEN name = 'RSA 1024' AND base = 'RS256' THEN 'key "K": RSA keys must have 2048 to 8192 bits'
            WHEN name IN ('EC P-384', 'EC secp256k1') AND base = 'ES256' THEN 'key "K": the curve is not P-256'
            WHEN name = 'EC, halves of two keys' AND base = 'ES256' THEN 'key "K": its public and private parts do not belong together'
            WHEN name = 'RSA-PSS, public' OR left(name, 2) <> CASE base WHEN 'RS256' THEN 'RS' WHEN 'ES256' THEN 'EC' ELSE 'Ed' END OR name = 'Ed448'
            THEN 'key "K": pem_file holds a key of another type than alg asks for'
            WHEN name = 'EC other' THEN 'signs, bad_signature'
            WHEN name ~ 'public' THEN 'cannot sign, verifies'
            ELSE 'signs, verifies' END
  FROM pem, unnest('{RS256,ES256,EdDSA}'::text[]) AS base ORDER BY name COLLATE "C", base COLLATE "C";
INSERT INTO pem_cases (name, base, content, members, expected)
SELECT 'PEM: ' || name, 'ES256', content, '{}', expected
  FROM (VALUES
('parameters before the key', pg_temp.pem('EC parameters', 'EC, traditional'), 'signs, verifies'),
('a certificate before the key', pg_temp.pem('certificate', 'EC, PKCS#8'), 'signs, verifies'),
('a certificate after the key', pg_temp.pem('EC, PKCS#8', 'certificate'), 'signs, verifies'),
('text before the key', E'Bag Attributes\n    friendlyName: test\n' || pg_temp.pem('EC, PKCS#8'), 'signs, verifies'),
('the ends of lines of another system', replace(pg_temp.pem('EC, PKCS#8'), E'\n', E'\r\n'), 'signs, verifies'),
('the private key counts, wherever it is', pg_temp.pem('EC, public', 'EC other'), 'signs, bad_signature'),
('the first of two private keys counts', pg_temp.pem('EC, PKCS#8', 'EC other'), 'signs, verifies'),
('empty', '', 'key "K": pem_file holds no key, or one with a passphrase'),
('garbage', repeat('canary ', 100), 'key "K": pem_file holds no key, or one with a passphrase'),
('a key cut off', left(pg_temp.pem('EC, PKCS#8'), 150), 'key "K": pem_file holds no key, or one with a passphrase'),
('a key with a letter changed', replace(pg_temp.pem('EC, PKCS#8'), 'MIGH', 'MIGG'), 'key "K": pem_file holds no key, or one with a passphrase'),
('a JWK', (SELECT jwk::text FROM material WHERE name = 'ES256'), 'key "K": pem_file holds no key, or one with a passphrase'),
('beyond a megabyte', pg_temp.pem('EC, PKCS#8') || repeat(E'\n', 1024 * 1024), 'pem_file "PEM": it is larger than 1 MB'),
('a megabyte', rpad(pg_temp.pem('EC, PKCS#8'), 1024 * 1024, E'\n'), 'signs, verifies')
  ) AS v (name, content, expected);
INSERT INTO pem_cases (name, base, content, prepare, members, expected)
SELECT 'PEM file: ' || name, 'ES256', pg_temp.pem('EC, PKCS#8'), prepare, '{}', expected
  FROM (VALUES
('mode 0600', 'base64 -d > PEM', 'signs, verifies'),
('mode 0400', 'base64 -d > PEM; chmod 0400 PEM', 'signs, verifies'),
('mode 0640', 'base64 -d > PEM; chmod 0640 PEM', 'pem_file "PEM": its group or others have access: set mode 0600'),
('mode 0644', 'base64 -d > PEM; chmod 0644 PEM', 'pem_file "PEM": its group or others have access: set mode 0600'),
('mode 0602', 'base64 -d > PEM; chmod 0602 PEM', 'pem_file "PEM": its group or others have access: set mode 0600'),
('not for the server to read', 'base64 -d > PEM; chmod 0200 PEM', 'pem_file "PEM": could not open file: Permission denied'),
('not there', 'cat > /dev/null', 'pem_file "PEM": could not open file: No such file or directory'),
('a symbolic link', 'base64 -d > PEM.target; ln -s PEM.target PEM', 'signs, verifies'),
('a symbolic link to what others may read', 'base64 -d > PEM.target; chmod 0644 PEM.target; ln -s PEM.target PEM',
 'pem_file "PEM": its group or others have access: set mode 0600'),
('a symbolic link to nothing', 'cat > /dev/null; ln -s PEM.target PEM', 'pem_file "PEM": could not open file: No such file or directory'),
('a symbolic link to itself', 'cat > /dev/null; ln -s PEM PEM', 'pem_file "PEM": could not open file: Too many levels of symbolic links'),
('a directory', 'cat > /dev/null; mkdir PEM', 'pem_file "PEM": it is not a regular file'),
('a FIFO', 'cat > /dev/null; mkfifo PEM', 'pem_file "PEM": it is not a regular file'),
('a device', 'cat > /dev/null; ln -s /dev/zero PEM', 'pem_file "PEM": it is not a regular file')
  ) AS v (name, prepare, expected);
INSERT INTO pem_cases (name, base, content, members, expected)
SELECT 'PEM file: ' || name, base, pg_temp.pem('EC, PKCS#8'), members, expected
  FROM (SELECT jwk AS es256 FROM material WHERE name = 'ES256') AS m, LATERAL (VALUES
('a relative path', 'ES256', '{"pem_file": "key.pem"}'::jsonb, 'pem_file must be an absolute path'),
('an empty path', 'ES256', '{"pem_file": ""}', 'pem_file must be an absolute path'),
('a path that is a number', 'ES256', '{"pem_file": 1}', 'pem_file must be an absolute path'),
('a path that is null', 'ES256', '{"pem_file": null}', 'pem_file must be an absolute path'),
('kty given and right', 'ES256', '{"kty": "EC"}', 'signs, verifies'),
('kty given and wrong', 'ES256', '{"kty": "RSA"}', 'key "K": kty must be "EC" for alg ES256'),
('kty null', 'ES256', '{"kty": null}', 'key "K": kty must be "EC" for alg ES256'),
('crv given and right', 'ES256', '{"kty": "EC", "crv": "P-256"}', 'signs, verifies'),
('crv given and wrong', 'ES256', '{"crv": "P-384"}', 'key "K": crv must be "P-256" for alg ES256'),
('no alg', 'ES256', '{"alg": null}', 'key "K": alg is none of those supported: HS256, HS384, HS512, RS256, ES256, EdDSA'),
('a key of all its numbers beside it', 'ES256', es256, 'key "K": it has both pem_file and numbers of its own'),
('x beside it', 'ES256', jsonb_build_object('x', es256 -> 'x'), 'key "K": it has both pem_file and numbers of its own'),
('y beside it', 'ES256', jsonb_build_object('y', es256 -> 'y'), 'key "K": it has both pem_file and numbers of its own'),
('d beside it', 'ES256', jsonb_build_object('d', es256 -> 'd'), 'key "K": it has both pem_file and numbers of its own'),
('what is no number of its kty beside it', 'ES256', '{"k": "AQ", "n": "AQ"}', 'signs, verifies'),
('use enc', 'ES256', '{"use": "enc"}', 'key "K": use is not "sig"'),
('key_ops verify', 'ES256', '{"key_ops": ["verify"]}', 'cannot sign, verifies'),
('vidtoken_use name', 'ES256', '{"vidtoken_use": "name"}', 'key "K": vidtoken_use "name" needs a secret, kty "oct"'),
('of a secret', 'HS256', '{"kty": "oct"}', 'key "K": pem_file is for asymmetric keys, a secret is given as k'),
('of a secret without kty', 'HS256', '{}', 'key "K": pem_file is for asymmetric keys, a secret is given as k'),
('beside a secret', 'HS256', '{"kty": "oct", "k": "dGVzdCBzZWNyZXQgb2YgdGhlIHNpZ25pbmcga2V5LCAx"}', 'key "K": pem_file is for asymmetric keys, a secret is given as k')
  ) AS v (name, base, members, expected);

SELECT plan(711);

SELECT is(pg_temp.outcome(c), expected, format('%s: %s', name, replace(expected, 'key "K": ', ''))) FROM cases AS c ORDER BY name COLLATE "C";
SELECT matches(pg_temp.outcome(pg_temp.ring((jwk - '{d,p,q,dp,dq,qi}'::text[]) || pg_temp.of_bytes('n', decode(repeat('ff', 255) || 'fe', 'hex'))), token),
               '^key "K": (?!e )', 'RSA, n even: refused, and not on account of e') FROM material WHERE name = 'RS256';
SELECT is(pg_temp.outcome(c), expected, format('%s: %s', name, replace(expected, 'key "K": ', ''))) FROM pem_cases AS c ORDER BY name COLLATE "C";

--
-- A PEM file that changes under a keyring that does not
--

CREATE FUNCTION pg_temp.replace_pem(content text, mode text DEFAULT '0600') RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_temp.shell(format('base64 -d > %1$s.new && chmod %2$s %1$s.new && mv %1$s.new %1$s', quote_literal(pg_temp.path('_pem')), mode), content);
    PERFORM pg_sleep(1.1);
END;
$$;
-- which key signs and verifies now, by its x
CREATE FUNCTION pg_temp.in_force() RETURNS text
LANGUAGE sql AS $$
    SELECT CASE vidtoken.vidtoken_jwks() #>> '{keys,0,x}' WHEN m.jwk ->> 'x' THEN 'first' WHEN o.jwk ->> 'x' THEN 'second' END
           || CASE WHEN (SELECT valid FROM vidtoken.vidtoken_verify(m.token)) THEN ', verifies the first''s token' ELSE '' END
           || CASE WHEN (SELECT valid FROM vidtoken.vidtoken_verify(vidtoken.vidtoken_sign('{"exp": 1893456000}', 'K'))) THEN ', and its own' ELSE '' END
      FROM material AS m JOIN others AS o USING (name) WHERE name = 'ES256'
$$;
CREATE FUNCTION pg_temp.new_sessions() RETURNS text
LANGUAGE sql AS $$
    WITH rows AS MATERIALIZED (SELECT * FROM vidtoken.vidtoken_check()),
         kept AS (INSERT INTO told SELECT concat_ws(' ', r.message, r.hint) FROM rows AS r)
    SELECT status || ' ' || replace(replace(message, pg_temp.path('_pem'), 'PEM'), pg_temp.path(''), 'RING') FROM rows WHERE item = 'keyring'
$$;
CREATE FUNCTION pg_temp.stays(name text, reason text) RETURNS SETOF text
LANGUAGE plpgsql AS $$
BEGIN
    RETURN NEXT is(pg_temp.in_force(), 'second, and its own', 'PEM ' || name || ': the key in force stays');
    RETURN NEXT is(pg_temp.new_sessions(), format('error new sessions cannot use file "RING": %s', reason), 'PEM ' || name || ': vidtoken_check() tells');
END;
$$;

SELECT pg_temp.shell(format('cat > /dev/null; rm -rf %1$s %1$s.*', quote_literal(pg_temp.path('_pem')))) AS ignored \gset
SELECT pg_temp.replace_pem(pg_temp.pem('EC, PKCS#8')) AS ignored \gset
SELECT pg_temp.shell(format('base64 -d > %s', quote_literal(pg_temp.path(''))),
                     pg_temp.ring(jsonb_build_object('kid', 'K', 'alg', 'ES256', 'pem_file', pg_temp.path('_pem')))) AS ignored \gset
SET LOCAL vidtoken.keyring = :'ring';
SELECT is(pg_temp.in_force(), 'first, verifies the first''s token, and its own', 'PEM: the key of the file');
SELECT is(pg_temp.new_sessions(), 'ok 2 keys in RING', 'PEM: the keyring is in order');
SELECT pg_temp.replace_pem(pg_temp.pem('EC other')) AS ignored \gset
SELECT is(pg_temp.in_force(), 'second, and its own', 'PEM replaced: the new key within a second');
SELECT pg_temp.replace_pem('-----BEGIN PRIVATE KEY-----') AS ignored \gset
SELECT pg_temp.stays('broken', 'key "K": pem_file holds no key, or one with a passphrase');
SELECT pg_temp.replace_pem(pg_temp.pem('Ed25519, private')) AS ignored \gset
SELECT pg_temp.stays('of another type', 'key "K": pem_file holds a key of another type than alg asks for');
SELECT pg_temp.replace_pem(pg_temp.pem('EC, encrypted')) AS ignored \gset
SELECT pg_temp.stays('with a passphrase', 'key "K": pem_file holds no key, or one with a passphrase');
SELECT pg_temp.replace_pem(pg_temp.pem('EC, PKCS#8'), '0644') AS ignored \gset
SELECT pg_temp.stays('for all to read', 'pem_file "PEM": its group or others have access: set mode 0600');
SELECT pg_temp.shell(format('cat > /dev/null; chmod 0600 %s; sleep 1.1', quote_literal(pg_temp.path('_pem')))) AS ignored \gset
SELECT is(pg_temp.in_force(), 'first, verifies the first''s token, and its own', 'PEM: a mode put right is found');
SELECT pg_temp.shell(format('base64 -d > %s; sleep 1.1', quote_literal(pg_temp.path('_pem'))), pg_temp.pem('EC other')) AS ignored \gset
SELECT is(pg_temp.in_force(), 'second, and its own', 'PEM: written in place');
SELECT pg_temp.shell(format('cat > /dev/null; rm %s; sleep 1.1', quote_literal(pg_temp.path('_pem')))) AS ignored \gset
SELECT pg_temp.stays('gone', 'pem_file "PEM": could not open file: No such file or directory');
SELECT pg_temp.shell(format('base64 -d > %1$s.target; ln -s %1$s.target %1$s; sleep 1.1', quote_literal(pg_temp.path('_pem'))), pg_temp.pem('EC, PKCS#8')) AS ignored \gset
SELECT is(pg_temp.in_force(), 'first, verifies the first''s token, and its own', 'PEM: there again, behind a symbolic link');
SELECT pg_temp.shell(format('base64 -d > %1$s.target; sleep 1.1', quote_literal(pg_temp.path('_pem'))), pg_temp.pem('EC other')) AS ignored \gset
SELECT is(pg_temp.in_force(), 'second, and its own', 'PEM: the file behind the link is watched');

--
-- vidtoken_jwks: the numbers of public keys
--

CREATE FUNCTION pg_temp.published(name text) RETURNS jsonb
LANGUAGE sql AS $$
    SELECT jsonb_object_agg(key, value) || '{"use": "sig"}' FROM material AS m, jsonb_each(jwk)
     WHERE m.name = published.name AND key IN ('kty', 'kid', 'alg', 'crv', 'n', 'e', 'x', 'y')
$$;
CREATE FUNCTION pg_temp.jwks_of(jwk jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_temp.outcome(pg_temp.ring(jwk), NULL);
    RETURN vidtoken.vidtoken_jwks() -> 'keys';
END;
$$;
SELECT is(pg_temp.jwks_of(jwk), CASE jwk ->> 'kty' WHEN 'oct' THEN '[]' ELSE jsonb_build_array(pg_temp.published(name)) END,
          format('vidtoken_jwks publishes of %s %s', name, CASE jwk ->> 'kty' WHEN 'oct' THEN 'nothing' ELSE 'its public numbers and nothing else' END))
  FROM material ORDER BY name COLLATE "C";
SELECT is(pg_temp.jwks_of((jwk - 'd') || pg_temp.of_bytes('x', decode(repeat('00', 32), 'hex')) || pg_temp.of_bytes('y', '\x66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4')) #>> '{0,x}',
          repeat('A', 43), 'a coordinate that begins with zeros is published in full')
  FROM material WHERE name = 'ES256';

--
-- Providers
--

-- what a call says under a provider and a key
CREATE FUNCTION pg_temp.said(provider text, key_id text, call text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    r record;
BEGIN
    PERFORM set_config('vidtoken.provider', provider, true), set_config('vidtoken.key_id', key_id, true);
    SELECT * INTO r FROM pg_temp.refusal(call);
    INSERT INTO told VALUES (concat_ws(' ', r.message, r.detail, r.hint));
    RETURN COALESCE(nullif(concat_ws(', ', r.code, r.message, r.detail, substring(r.hint FROM 'vidtoken\.key_id')), ''), 'allowed');
END;
$$;
SELECT pg_temp.ring(VARIADIC array_agg(jwk || jsonb_build_object('kid', name) ORDER BY name COLLATE "C")) AS six
  FROM material WHERE name !~ 'RSA' \gset
\set ring_six :ring _six
SELECT pg_temp.shell(format('base64 -d > %s', quote_literal(:'ring_six')), :'six') AS ignored \gset
SET LOCAL vidtoken.keyring = :'ring_six';
SELECT is(pg_temp.said(provider, alg, 'SELECT vidtoken.vidtoken_issue(47, 2)'),
          CASE WHEN provider = 'jwt' OR alg = 'HS256' THEN 'allowed'
               ELSE format('F0000, provider "%s" does not take tokens signed with key "%s", It takes HS256, the key''s alg is %s., vidtoken.key_id', provider, alg, alg) END,
          format('%s, a key for %s: %s', provider, alg, CASE WHEN provider = 'jwt' OR alg = 'HS256' THEN 'a token' ELSE 'refused' END))
  FROM unnest('{twilio,livekit,jwt}'::text[]) WITH ORDINALITY AS p (provider, i), unnest('{HS256,HS384,HS512,RS256,ES256,EdDSA}'::text[]) WITH ORDINALITY AS a (alg, j)
 ORDER BY i, j;
CREATE FUNCTION pg_temp.issued(provider text, key_id text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('vidtoken.provider', provider, true), set_config('vidtoken.key_id', key_id, true);
    RETURN (SELECT concat_ws(' ', pg_temp.token_part(access_token, 1) ->> 'alg', v.key_id, COALESCE(v.reason, 'valid'))
              FROM vidtoken.vidtoken_issue(47, 2), vidtoken.vidtoken_verify(access_token) AS v);
END;
$$;
SELECT is(pg_temp.issued('jwt', alg), format('%s %s valid', alg, alg), format('jwt, %s: the token says so and verifies', alg))
  FROM unnest('{HS256,HS384,HS512,RS256,ES256,EdDSA}'::text[]) WITH ORDINALITY AS a (alg, j) ORDER BY j;
SELECT is(pg_temp.issued(provider, 'HS256'), 'HS256 HS256 valid', format('%s: so does its token', provider)) FROM unnest('{twilio,livekit}'::text[]) AS provider;
SELECT is(pg_temp.said('twilio', alg, format('SELECT vidtoken.vidtoken_sign(''{}'', %L)', alg)), 'allowed', format('vidtoken_sign takes a key for %s, whatever the provider', alg))
  FROM unnest('{HS256,HS384,HS512,RS256,ES256,EdDSA}'::text[]) WITH ORDINALITY AS a (alg, j) ORDER BY j;
SELECT is(pg_temp.said('twilio', 'EdDSA', 'SELECT vidtoken.vidtoken_sign(''{}'')'), 'allowed', 'vidtoken_sign takes the key of vidtoken.key_id, whatever the provider');
SELECT is(pg_temp.said('twilio', 'name', 'SELECT vidtoken.vidtoken_sign(''{}'')'),
          'F0000, key "name" is not in the keyring, It must be there as a token key., vidtoken.key_id', 'a name key signs nothing');
SET LOCAL vidtoken.provider = 'livekit';
SET LOCAL vidtoken.key_id = 'RS256';
SELECT is(status || ': ' || message, 'error: provider "livekit" does not take tokens signed with key "RS256": It takes HS256, the key''s alg is RS256.',
          'vidtoken_check() tells of a key that the provider does not take') FROM vidtoken.vidtoken_check() WHERE item = 'signing key';
SET LOCAL vidtoken.key_id = 'HS256';
SELECT is(status || ': ' || message, 'ok: HS256', 'and of one that it takes') FROM vidtoken.vidtoken_check() WHERE item = 'signing key';

-- keys of one provider
SELECT pg_temp.ring(VARIADIC array_agg(jwk || jsonb_build_object('kid', 'for ' || p) || CASE p WHEN 'all' THEN '{}' ELSE jsonb_build_object('provider', p) END ORDER BY p)) AS owned
  FROM material, unnest('{all,twilio,livekit,jwt,zoom}'::text[]) AS p WHERE name = 'HS256' \gset
\set ring_owned :ring _owned
SELECT pg_temp.shell(format('base64 -d > %s', quote_literal(:'ring_owned')), :'owned') AS ignored \gset
SET LOCAL vidtoken.keyring = :'ring_owned';
SELECT is(pg_temp.said(provider, 'for ' || owner, 'SELECT vidtoken.vidtoken_issue(47, 2)'),
          CASE WHEN owner IN (provider, 'all') THEN 'allowed'
               ELSE format('F0000, key "for %s" is not in the keyring, It must be there as a token key for provider "%s"., vidtoken.key_id', owner, provider) END,
          format('%s, a key for %s: %s', provider, owner, CASE WHEN owner IN (provider, 'all') THEN 'a token' ELSE 'refused' END))
  FROM unnest('{twilio,livekit,jwt}'::text[]) WITH ORDINALITY AS p (provider, i), unnest('{all,twilio,livekit,jwt,zoom}'::text[]) WITH ORDINALITY AS o (owner, j)
 ORDER BY i, j;
SELECT is(pg_temp.said('twilio', '', format('SELECT vidtoken.vidtoken_sign(''{}'', %L)', 'for ' || owner)), 'allowed', format('vidtoken_sign, a key for %s: a token', owner))
  FROM unnest('{all,twilio,livekit,jwt,zoom}'::text[]) WITH ORDINALITY AS o (owner, j) ORDER BY j;

--
-- Never a key
--

-- every run of 8 characters of a number or of a PEM file, and the secrets
CREATE TEMP TABLE secret AS
SELECT DISTINCT substr(s, i, 8) AS part
  FROM (SELECT value FROM (SELECT jwk FROM material UNION ALL SELECT jwk FROM others UNION ALL SELECT change FROM cases) AS j,
                          jsonb_each_text(jwk) WHERE key IN ('k', 'n', 'e', 'd', 'p', 'q', 'dp', 'dq', 'qi', 'x', 'y') AND value IS NOT NULL
        UNION ALL SELECT convert_from(pg_temp.octets(jwk ->> 'k'), 'UTF8') FROM material WHERE jwk ? 'k'
        UNION ALL SELECT line FROM pem, regexp_split_to_table(content, E'\n') AS line WHERE line !~ '^-----'
        UNION ALL SELECT 'canary canary') AS v (s),
       generate_series(1, length(s) - 7) AS i;
SELECT cmp_ok((SELECT count(*)::integer FROM secret), '>', 10000, 'there is much to hide');
SELECT cmp_ok((SELECT count(*)::integer FROM told), '>', 1000, 'and much was said');
SELECT is_empty($$SELECT DISTINCT part FROM (SELECT DISTINCT message FROM told) AS m, generate_series(1, length(message) - 7) AS i, secret
                   WHERE part = substr(message, i, 8)$$, 'no message shows a byte of a key');

SELECT * FROM finish();
SELECT pg_temp.shell(format('cat > /dev/null; rm -rf %s*', quote_literal(:'ring'))) AS ignored \gset
ROLLBACK;
