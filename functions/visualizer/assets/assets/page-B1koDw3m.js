import{a as r}from"./index-DDqlJGS3.js";function o(){return r("p",{class:"pad",children:"To come."})}export{o as MarketPage};
